// The work list's filter and its address. Pure.
import type { ResultFilter } from './api';

export const NO_FILTER: ResultFilter = { finding: null, reviewed: null, device: null };

/** The filter that an address holds; what it doesn't know is no filter. */
export function filterOf(search: URLSearchParams): ResultFilter {
  const finding = search.get('finding');
  const reviewed = search.get('reviewed');
  return {
    finding: finding === 'positive' || finding === 'negative' || finding === 'none' ? finding : null,
    reviewed: reviewed === 'true' ? true : reviewed === 'false' ? false : null,
    device: search.get('device'),
  };
}

/** Address of the work list under a filter. */
export function listPath(of: ResultFilter): string {
  const search = new URLSearchParams();
  if (of.finding !== null) search.set('finding', of.finding);
  if (of.reviewed !== null) search.set('reviewed', String(of.reviewed));
  if (of.device !== null) search.set('device', of.device);
  const text = search.toString();
  return text === '' ? '/' : `/?${text}`;
}
