// Who is signed in. The cookie itself is out of a script's reach (HttpOnly); what is kept here is its name tag.
import { signal } from '@preact/signals';
import * as api from './api';

export type SessionState =
  | { is: 'unknown' }
  | { is: 'out'; why: string | null }
  | { is: 'in'; session: api.Session };

export const state = signal<SessionState>({ is: 'unknown' });

/** While somebody signs out: nothing is asked any more that the end of the session would answer with an error. */
export const leaving = signal(false);

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

/** False where a code of the second factor is wanted, too. */
export async function signIn(username: string, password: string, code: string | null): Promise<boolean> {
  const session = await api.signIn(username, password, code);
  if (session === null) return false;
  localStorage.setItem(HINT, '1');
  // What the last user had loaded is not for the next one's eyes.
  if (lastUser !== null && lastUser !== session.username) location.assign('/');
  lastUser = session.username;
  state.value = { is: 'in', session };
  return true;
}

/** Asks anew who is signed in: what she may has changed. */
export async function renew(): Promise<void> {
  state.value = { is: 'in', session: await api.currentSession() };
}

/** Signs out whoever has left; the screen is cleared whether or not the gateway can be told. */
export async function signOutIdle(): Promise<void> {
  localStorage.removeItem(HINT);
  state.value = { is: 'out', why: 'You were signed out because nobody used this page. Sign in again to go on where you were.' };
  await api.signOut().catch(() => undefined);
}

/** Signs out and forgets all that was loaded. If the gateway can't be told, it says so: the cookie still lives. */
export async function signOut(): Promise<void> {
  leaving.value = true;
  try {
    await api.signOut();
  } catch (error) {
    leaving.value = false;
    const why = error instanceof Error ? error.message : 'no reason given';
    state.value = { is: 'out', why: `The gateway did not confirm the sign-out: ${why} Close the browser to be sure.` };
    return;
  }
  localStorage.removeItem(HINT);
  location.assign('/');
}

api.whenSignedOut(() => {
  localStorage.removeItem(HINT);
  // An answer that comes late takes nothing back of what the page says already.
  if (state.value.is === 'out') return;
  const wasIn = state.value.is === 'in';
  state.value = { is: 'out', why: wasIn ? 'Your session has ended. Sign in again to go on where you were.' : null };
});
