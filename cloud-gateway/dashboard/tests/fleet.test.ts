// The order of the devices page: what wants a look comes first.
import { expect, it } from 'vitest';
import type { Device } from '../src/api';
import { bySite } from '../src/fleet/sites';

function device(id: string, site: string, trouble = false): Device {
  return {
    id, site, enrolled_at: '2026-01-01T00:00:00.000Z', last_seen_at: null, results: 0, queue_depth: null, oldest_ms: null, rejected: null, sync_agent_version: null,
    certificate_expires_at: null, revoked_at: null, newest: null, troubles: trouble ? [{ code: 'silent', words: '' }] : [], shadow: null,
  };
}

it('puts sites and devices with troubles first, then goes by name', () => {
  const sites = bySite([device('b', 'Alpha'), device('a', 'Alpha'), device('d', 'Beta'), device('c', 'Gamma', true), device('b', 'Gamma')]);
  expect(sites.map(({ name, devices, troubled }) => [name, troubled, devices.map(({ id }) => id)])).toEqual([
    ['Gamma', 1, ['c', 'b']],
    ['Alpha', 0, ['a', 'b']],
    ['Beta', 0, ['d']],
  ]);
  expect(bySite([])).toEqual([]);
});
