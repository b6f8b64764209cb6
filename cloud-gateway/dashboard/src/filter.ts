// The work list's filter and order, and its address. Pure.
import type { Opinion, ResultFilter, SecondReading, Sort } from './api';

export const NO_FILTER: ResultFilter = { finding: null, reviewed: null, verdict: null, device: null, site: null, model: null, second_reading: null, sort: null, reverse: null };

const SORTS: readonly Sort[] = ['priority', 'probability', 'age', 'site', 'model', 'received'];
const STATES: readonly SecondReading[] = ['requested', 'awaiting', 'concordant', 'discordant', 'adjudicated'];
const OPINIONS: readonly Opinion[] = ['agree', 'disagree', 'uncertain', 'unreadable'];

/** The filter that an address holds; what it doesn't know is no filter. */
export function filterOf(search: URLSearchParams): ResultFilter {
  const one = <T extends string>(name: string, of: readonly T[]): T | null => of.find((known) => known === search.get(name)) ?? null;
  const reviewed = one('reviewed', ['true', 'false']);
  const sort = one('sort', SORTS);
  return {
    finding: one('finding', ['positive', 'negative', 'none']),
    reviewed: reviewed === null ? null : reviewed === 'true',
    verdict: one('verdict', OPINIONS),
    device: search.get('device'),
    site: search.get('site'),
    model: search.get('model'),
    second_reading: one('second_reading', STATES),
    sort: sort === 'priority' ? null : sort,
    reverse: search.get('reverse') === 'true' ? true : null,
  };
}

/** A filter's part of an address, in an order of its own, so that the same filter is the same text. */
export function queryOf(of: ResultFilter): string {
  const names = Object.keys(NO_FILTER) as (keyof ResultFilter)[];
  const given = names.flatMap((name) => (of[name] === null ? [] : [[name, String(of[name])]]));
  return new URLSearchParams(given).toString();
}

/** Address of the work list under a filter. */
export function listPath(of: ResultFilter): string {
  const text = queryOf(of);
  return text === '' ? '/' : `/?${text}`;
}

/** Whether it leaves anything out; the order does not. */
export function leavesOut(of: ResultFilter): boolean {
  return listPath({ ...of, sort: null, reverse: null }) !== '/';
}
