// Loads the next studies' films while this one is read: once its own film is there, never before, and no longer than
// the reader stays with the studies.
import { effect, signal } from '@preact/signals';
import * as shelf from '../film_shelf';
import { route } from '../router';
import * as sequence from '../sequence';
import { state } from '../session';

/** The study whose film has come, or will not: the line to the gateway is free. */
export const settled = signal<string | null>(null);

effect(() => {
  const to = route.value;
  if (state.value.is !== 'in' || to.page !== 'study') shelf.keep([]);
  else if (settled.value === to.id) shelf.keep(sequence.ahead(to.id));
});
