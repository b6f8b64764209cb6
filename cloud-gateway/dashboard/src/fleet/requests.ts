// What the gateway is asked to let a device in.
import type { Qr } from '../account/requests';
import { send } from '../api';

/** A one-time token, told this once. */
export interface Invitation {
  token: string;
  qr: Qr;
  device: string;
  site: string;
  expires_at: string;
  command: string;
}

export async function invite(device: string, site: string, validHours: number, reinstate: boolean): Promise<Invitation> {
  return (await (await send('POST', '/claims', { device, site, valid_hours: validHours, reinstate })).json()) as Invitation;
}
