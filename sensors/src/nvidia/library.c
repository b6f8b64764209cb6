/* Stands in for libnvidia-ml.so.1 where there is no NVIDIA driver: the entry points that are asked for, by the names and
   with the units of nvml.h, so that loading and asking run for real. It says nothing about what a real driver answers. */
#include <string.h>
#include <unistd.h>

typedef struct { unsigned int gpu, memory; } utilization;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;

enum { SUCCESS = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };

#ifndef INIT
#define INIT SUCCESS
#endif
#ifndef HANDLE
#define HANDLE SUCCESS
#endif
#ifndef CELSIUS
#define CELSIUS 71
#endif
#ifndef REASONS
#define REASONS 0x24
#endif

static int asked;

int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = (void *)1; return index ? 2 : HANDLE; }
int nvmlDeviceGetName(void *device, char *name, unsigned int length) { strncpy(name, "NVIDIA L4", length); return SUCCESS; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius) { *celsius = CELSIUS; return SUCCESS; }
int nvmlDeviceGetTemperatureThreshold(void *device, int kind, unsigned int *celsius) {
    /* 0: shutdown, 1: slowdown. */
    *celsius = kind == 0 ? 92 : 87;
    return SUCCESS;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) { *milliwatts = 54320; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *milliwatts) { *milliwatts = 72000; return SUCCESS; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) { *reasons = REASONS; return SUCCESS; }
int nvmlDeviceGetUtilizationRates(void *device, utilization *rates) { rates->gpu = 93; rates->memory = 40; return SUCCESS; }
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
    memory->total = 24ull << 30, memory->used = 2ull << 30;
    return memory->version == (sizeof(memory_v2) | 2u << 24) ? SUCCESS : 25;
}
/* No clock: a card that does not tell one thing tells the others all the same. */
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned int *megahertz) { return NOT_SUPPORTED; }
