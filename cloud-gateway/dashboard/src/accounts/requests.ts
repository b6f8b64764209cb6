// What an administrator asks the gateway about accounts and the keys of programs.
import { get, send, type Act } from '../api';

/** In the gateway's order. */
export const ROLES = ['reviewer', 'lead_reviewer', 'fleet_operator', 'site_technician', 'auditor', 'administrator'] as const;

/** What a key may be made for, and how that is said. */
export const SCOPES: readonly (readonly [Act, string])[] = [
  ['read_results', 'results and films'],
  ['read_audit', 'audit log'],
  ['read_devices', 'devices'],
  ['read_quality', 'numbers about the model’s quality'],
];

/** One account. */
export interface Account {
  username: string;
  display_name: string;
  role: string;
  /** Null where it is every site. */
  sites: string[] | null;
  created_at: string;
  disabled_at: string | null;
  has_second_factor: boolean;
  /** Of a session that is open; null where none is. */
  last_used_at: string | null;
}

/** What an account is to be. */
export interface Wanted {
  display_name: string;
  role: string;
  sites: string[] | null;
  disabled: boolean;
}

/** One key of a program, without what it is. */
export interface Key {
  id: string;
  name: string;
  acts: Act[];
  sites: string[] | null;
  made_by: string;
  made_at: string;
  expires_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

const of = (username: string): string => `/accounts/${encodeURIComponent(username)}`;

export async function listAccounts(): Promise<Account[]> {
  return (await get<{ items: Account[] }>('/accounts')).items;
}

export async function addAccount(username: string, role: string, sites: string[] | null, password: string): Promise<void> {
  await send('POST', '/accounts', { username, role, sites, password });
}

export async function changeAccount(username: string, wanted: Wanted): Promise<void> {
  await send('PUT', of(username), wanted);
}

export async function givePassword(username: string, password: string): Promise<void> {
  await send('POST', `${of(username)}/password`, { password });
}

export async function resetSecondFactor(username: string): Promise<void> {
  await send('DELETE', `${of(username)}/second-factor`);
}

export async function listKeys(): Promise<Key[]> {
  return (await get<{ items: Key[] }>('/api-keys')).items;
}

/** Gives the key itself, which is told nowhere again. */
export async function makeKey(name: string, acts: Act[], sites: string[] | null, days: number): Promise<string> {
  return ((await (await send('POST', '/api-keys', { name, acts, sites, days })).json()) as { secret: string }).secret;
}

export async function revokeKey(id: string): Promise<void> {
  await send('DELETE', `/api-keys/${encodeURIComponent(id)}`);
}
