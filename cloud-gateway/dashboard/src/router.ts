// The address bar: follows it and changes it. Five pages need no router library.
import { computed, signal } from '@preact/signals';
import { parse } from './routes';

const location_ = signal(new URL(location.href));

export const route = computed(() => parse(location_.value.pathname));
export const query = computed(() => location_.value.searchParams);

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
