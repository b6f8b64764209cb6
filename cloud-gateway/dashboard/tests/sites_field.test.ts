// What a list of sites with commas names.
import { expect, test } from 'vitest';
import { sitesIn } from '../src/accounts/sites_field';

test.each([
  ['', []],
  [' , ', []],
  ['st-mary', ['st-mary']],
  ['St Mary, st-john ,,St Mary', ['St Mary', 'st-john']],
])('%j', (list, sites) => {
  expect(sitesIn(list)).toEqual(sites);
});
