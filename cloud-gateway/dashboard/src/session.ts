// Who is signed in. The cookie itself is out of a script's reach (HttpOnly); what is kept here is its name tag.
import { signal } from '@preact/signals';
import * as api from './api';

export type SessionState =
  | { is: 'unknown' }
  | { is: 'out'; why: string | null }
  | { is: 'in'; session: api.Session };

export const state = signal<SessionState>({ is: 'unknown' });

/** Set while there may be a session, so that a first visit asks nothing and goes to the sign-in page at once. */
const HINT = 'hilum.signed_in';

let lastUser: string | null = null;

/** Finds out whether a session from before still holds. */
export async function restore(): Promise<void> {
  if (localStorage.getItem(HINT) === null) {
    state.value = { is: 'out', why: null };
    return;
  }
  try {
    const session = await api.currentSession();
    lastUser = session.username;
    state.value = { is: 'in', session };
  } catch (error) {
    if (error instanceof api.ApiError && error.status !== 401) state.value = { is: 'out', why: error.message };
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  const session = await api.signIn(username, password);
  localStorage.setItem(HINT, '1');
  // What the last user had loaded is not for the next one's eyes.
  if (lastUser !== null && lastUser !== session.username) location.assign('/');
  lastUser = session.username;
  state.value = { is: 'in', session };
}

/** Signs out and forgets all that was loaded. If the gateway can't be told, it says so: the cookie still lives. */
export async function signOut(): Promise<void> {
  try {
    await api.signOut();
  } catch (error) {
    const why = error instanceof Error ? error.message : 'no reason given';
    state.value = { is: 'out', why: `The gateway did not confirm the sign-out: ${why} Close the browser to be sure.` };
    return;
  }
  localStorage.removeItem(HINT);
  location.assign('/');
}

api.whenSignedOut(() => {
  localStorage.removeItem(HINT);
  const wasIn = state.value.is === 'in';
  state.value = { is: 'out', why: wasIn ? 'Your session has ended. Sign in again to go on where you were.' : null };
});
