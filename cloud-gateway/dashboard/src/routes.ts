// Addresses and the pages they stand for. Pure.
/** Every page there is. */
export type Route =
  | { page: 'list' }
  | { page: 'study'; id: string }
  | { page: 'audit' }
  | { page: 'devices' }
  | { page: 'refused' }
  | { page: 'account' }
  | { page: 'quality' }
  | { page: 'behind' }
  | { page: 'accounts' }
  | { page: 'agreement' }
  | { page: 'missing' };

/** Reads a path; what is not listed here is a missing page. */
export function parse(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second] = parts;
  if (first === undefined) return { page: 'list' };
  if (first === 'results' && second !== undefined && parts.length === 2) return study(second);
  if (first === 'audit' && parts.length === 1) return { page: 'audit' };
  if (first === 'devices' && parts.length === 1) return { page: 'devices' };
  if (first === 'refused' && parts.length === 1) return { page: 'refused' };
  if (first === 'account' && parts.length === 1) return { page: 'account' };
  if (first === 'quality' && parts.length === 1) return { page: 'quality' };
  if (first === 'quality' && second === 'studies' && parts.length === 2) return { page: 'behind' };
  if (first === 'accounts' && parts.length === 1) return { page: 'accounts' };
  if (first === 'agreement' && parts.length === 1) return { page: 'agreement' };
  return { page: 'missing' };
}

/** Address of a result's page. */
export function studyPath(id: string): string {
  return `/results/${encodeURIComponent(id)}`;
}

/** A broken escape in an address makes it lead nowhere. */
function study(part: string): Route {
  try {
    return { page: 'study', id: decodeURIComponent(part) };
  } catch {
    return { page: 'missing' };
  }
}
