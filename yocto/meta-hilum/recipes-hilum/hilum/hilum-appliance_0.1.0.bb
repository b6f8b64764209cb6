SUMMARY = "Hilum's DICOM receiver and reader of chest radiographs"
DESCRIPTION = "Receives radiographs from the scanner, reads them for pneumonia and journals every result. Not a cleared medical device."

# The JPEG-LS decoder is C++, built by CMake.
DEPENDS += "cmake-native"

require hilum.inc
require ${BPN}-crates.inc

FILES:${PN} += "${systemd_system_unitdir}/hilum-appliance.service.d"

# The model runs in ONNX Runtime, loaded when the program starts; on Jetson it comes from meta-tegra-community.
RRECOMMENDS:${PN} = "onnxruntime"

# Only a board with NVIDIA's GPU gets the drop-in that opens its devices.
# nooelint: oelint.func.specific - `tegra` is an override of meta-tegra's machines
do_install:append:tegra() {
    install -D -m 0644 ${S}/packaging/systemd/hilum-appliance.service.d/gpu.conf ${D}${systemd_system_unitdir}/hilum-appliance.service.d/gpu.conf
}
