// User name and password.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError } from '../api';
import { signIn } from '../session';
import { Notice } from '../shell/notice';

export function SignInPage({ why }: { why: string | null }): JSX.Element {
  const busy = useSignal(false);
  const refused = useSignal<string | null>(null);
  const password = useRef<HTMLInputElement>(null);
  const username = useRef<HTMLInputElement>(null);
  useEffect(() => username.current?.focus(), []);

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    busy.value = true;
    refused.value = null;
    try {
      await signIn(username.current?.value.trim() ?? '', password.current?.value ?? '');
    } catch (error) {
      refused.value = refusal(error);
      password.current?.select();
    } finally {
      busy.value = false;
    }
  };

  return (
    <div class="sign-in">
      <form onSubmit={(event) => void submit(event)} aria-labelledby="sign-in-title">
        <img src="/favicon.svg" alt="" width="48" height="48" />
        <h1 id="sign-in-title">Sign in to Hilum</h1>
        <p class="quiet">Review of chest radiographs that a model read for pneumonia.</p>
        {why !== null && refused.value === null && <Notice kind="info">{why}</Notice>}
        {refused.value !== null && <Notice kind="error">{refused.value}</Notice>}
        <label for="username">User name</label>
        <input id="username" ref={username} name="username" autoComplete="username" autoCapitalize="none" spellcheck={false} required />
        <label for="password">Password</label>
        <input id="password" ref={password} name="password" type="password" autoComplete="current-password" required />
        <button type="submit" class="primary" disabled={busy.value}>
          {busy.value ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </div>
  );
}

/** What went wrong and what to do about it. */
function refusal(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Something went wrong on this page. Reload it and try again.';
  if (error.status === 401) return 'User name or password is wrong. Check both; an administrator can set a new password.';
  if (error.status === 429) return `Too many attempts. Wait a minute, then try again. ${error.message}`;
  if (error.status === 0) return 'The gateway can’t be reached. Check your connection and try again.';
  return error.message;
}
