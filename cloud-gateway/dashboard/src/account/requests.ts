// What the gateway is asked about one's own account.
import { get, send } from '../api';

/** How it stands with one's second factor. */
export interface SecondFactor {
  /** Since when it is asked for; null where there is none. */
  since: string | null;
  recovery_codes_left: number;
  /** Whether the account's role has to have one. */
  required: boolean;
}

/** A QR code as a path of unit squares in a square of `size`. */
export interface Qr {
  size: number;
  path: string;
}

/** A second factor that an app has to take up. */
export interface Begun {
  secret: string;
  uri: string;
  qr: Qr;
}

const FACTOR = '/account/second-factor';

export function getSecondFactor(): Promise<SecondFactor> {
  return get(FACTOR);
}

export async function changePassword(current: string, next: string): Promise<void> {
  await send('POST', '/account/password', { current, new: next });
}

export async function beginSecondFactor(password: string): Promise<Begun> {
  return (await (await send('POST', FACTOR, { password })).json()) as Begun;
}

/** Gives the recovery codes, which are told nowhere again. */
export async function confirmSecondFactor(code: string): Promise<string[]> {
  const answer = (await (await send('POST', `${FACTOR}/confirmation`, { code })).json()) as { recovery_codes: string[] };
  return answer.recovery_codes;
}

export async function removeSecondFactor(code: string): Promise<void> {
  await send('POST', `${FACTOR}/removal`, { code });
}
