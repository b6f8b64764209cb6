// User name and password, and then, where the account has a second factor, its code.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';
import { text } from '../account/form';
import { ApiError } from '../api';
import { signIn } from '../session';
import { Notice } from '../shell/notice';

interface Credentials {
  username: string;
  password: string;
}

export function SignInPage({ why }: { why: string | null }): JSX.Element {
  const busy = useSignal(false);
  const refused = useSignal<string | null>(null);
  /** Right, and not enough: kept until the code comes, and nowhere but here. */
  const known = useSignal<Credentials | null>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), [known.value]);

  const submit = async (event: SubmitEvent & { currentTarget: HTMLFormElement }): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const given = known.value ?? { username: text(fields, 'username').trim(), password: text(fields, 'password') };
    [busy.value, refused.value] = [true, null];
    try {
      const isIn = await signIn(given.username, given.password, known.value === null ? null : text(fields, 'code').trim());
      if (!isIn) known.value = given;
    } catch (error) {
      refused.value = refusal(error, known.value !== null);
      document.querySelector<HTMLInputElement>('.sign-in [name=password], .sign-in [name=code]')?.select();
    } finally {
      busy.value = false;
    }
  };

  return (
    <div class="sign-in">
      <form onSubmit={(event) => void submit(event)} aria-labelledby="sign-in-title">
        <img src="/favicon.svg" alt="" width="48" height="48" />
        <h1 id="sign-in-title">Sign in to Hilum</h1>
        {known.value === null && <p class="quiet">Review of chest radiographs that a model read for pneumonia.</p>}
        {why !== null && refused.value === null && known.value === null && <Notice kind="info">{why}</Notice>}
        {refused.value !== null && <Notice kind="error">{refused.value}</Notice>}
        {known.value === null ? (
          <Password>
            <input id="username" ref={first} name="username" autoComplete="username" autoCapitalize="none" spellcheck={false} required />
          </Password>
        ) : (
          <Code>
            <input id="code" ref={first} name="code" autoComplete="one-time-code" autoCapitalize="none" spellcheck={false} required />
          </Code>
        )}
        <button type="submit" class="primary" disabled={busy.value}>
          {busy.value ? 'Signing in…' : 'Sign in'}
        </button>
        {known.value !== null && (
          <button type="button" class="plain" onClick={() => ([known.value, refused.value] = [null, null])}>
            Sign in as somebody else
          </button>
        )}
      </form>
    </div>
  );
}

function Password({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <>
      <label for="username">User name</label>
      {children}
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autoComplete="current-password" required />
    </>
  );
}

function Code({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <>
      <p class="quiet" id="code-help">
        Your password is right. Type the six digits that your authenticator app shows, or a recovery code.
      </p>
      <label for="code">Code</label>
      {children}
    </>
  );
}

/** What went wrong and what to do about it. */
function refusal(error: unknown, atCode: boolean): string {
  if (!(error instanceof ApiError)) return 'Something went wrong on this page. Reload it and try again.';
  if (error.status === 401 && atCode) return 'The code is wrong, or was used before. Wait for the app’s next code and type that.';
  if (error.status === 401) return 'User name or password is wrong. Check both; an administrator can set a new password.';
  if (error.status === 429) return `Too many attempts. Wait a minute, then try again. ${error.message}`;
  if (error.status === 0) return 'The gateway can’t be reached. Check your connection and try again.';
  return error.message;
}
