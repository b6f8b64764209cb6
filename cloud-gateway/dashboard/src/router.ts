// The address bar: which page is shown. Five pages need no router library.
import { computed, signal } from '@preact/signals';

/** Every page there is. */
export type Route =
  | { page: 'list' }
  | { page: 'study'; id: string }
  | { page: 'audit' }
  | { page: 'devices' }
  | { page: 'missing' };

const location_ = signal(new URL(location.href));

/** Reads a path; what is not listed here is a missing page. */
export function parse(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second] = parts;
  if (first === undefined) return { page: 'list' };
  if (first === 'results' && second !== undefined && parts.length === 2) return { page: 'study', id: decodeURIComponent(second) };
  if (first === 'audit' && parts.length === 1) return { page: 'audit' };
  if (first === 'devices' && parts.length === 1) return { page: 'devices' };
  return { page: 'missing' };
}

export const route = computed(() => parse(location_.value.pathname));
export const query = computed(() => location_.value.searchParams);

/** Address of a result's page. */
export function studyPath(id: string): string {
  return `/results/${encodeURIComponent(id)}`;
}

/** Goes to another page; `replace` leaves no step to go back to. */
export function go(to: string, replace = false): void {
  const next = new URL(to, location.href);
  if (next.href === location_.value.href) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', next);
  location_.value = next;
}

/** Plain clicks on this site's own links change the page without loading it anew. */
function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link?.target !== '' || link.origin !== location.origin || link.pathname.startsWith('/api/')) return;
  event.preventDefault();
  go(link.href);
}

export function startRouter(): void {
  addEventListener('popstate', () => (location_.value = new URL(location.href)));
  document.addEventListener('click', followLink);
}
