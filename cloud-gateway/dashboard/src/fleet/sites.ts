// The devices in the order in which they want a look. Pure.
import type { Device } from '../api';

/** The devices of one site. */
export interface Site {
  name: string;
  devices: Device[];
  /** How many of them have a trouble. */
  troubled: number;
}

/** Sites with troubles first, then by name; within a site likewise. */
export function bySite(devices: readonly Device[]): Site[] {
  return [...new Set(devices.map(({ site }) => site))]
    .map((name): Site => {
      const own = devices.filter(({ site }) => site === name);
      const sorted = [...own].sort((a, b) => Number(b.troubles.length > 0) - Number(a.troubles.length > 0) || a.id.localeCompare(b.id));
      return { name, devices: sorted, troubled: own.filter(({ troubles }) => troubles.length > 0).length };
    })
    .sort((a, b) => Number(b.troubled > 0) - Number(a.troubled > 0) || a.name.localeCompare(b.name));
}
