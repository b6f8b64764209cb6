// One's own account: who one is here, the password, the second factor.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Form, text } from '../account/form';
import { changePassword } from '../account/requests';
import { SecondFactorPart } from '../account/second_factor';
import { roleWords, sitesWords } from '../rights';
import { state } from '../session';
import { Notice } from '../shell/notice';

export function AccountPage(): JSX.Element | null {
  if (state.value.is !== 'in') return null;
  const { session } = state.value;
  return (
    <div class="page account">
      <h1>Your account</h1>
      <p>
        You are signed in as <strong>{session.username}</strong> ({roleWords(session.role)}) and see {sitesWords(session.sites)}. This page signs you out after {Math.round(session.idle_s / 60)} minutes
        without use.
      </p>
      <SecondFactorPart />
      <PasswordPart />
    </div>
  );
}

function PasswordPart(): JSX.Element {
  const done = useSignal(false);
  const change = async (fields: FormData): Promise<void> => {
    done.value = false;
    if (text(fields, 'new') !== text(fields, 'again')) throw new Error('The two new passwords differ. Type the same one twice.');
    await changePassword(text(fields, 'current'), text(fields, 'new'));
    done.value = true;
  };
  return (
    <section aria-labelledby="password-title">
      <h2 id="password-title">Password</h2>
      <p class="quiet">12 characters or more; a sentence is easy to keep in mind. Every other session of yours ends when it changes.</p>
      {done.value && <Notice kind="info">Your password is changed. Every other session of yours has ended.</Notice>}
      <Form button="Change password" onSend={change}>
        <label for="password-current">Current password</label>
        <input id="password-current" name="current" type="password" autoComplete="current-password" required />
        <label for="password-new">New password</label>
        <input id="password-new" name="new" type="password" autoComplete="new-password" minLength={12} required />
        <label for="password-again">New password again</label>
        <input id="password-again" name="again" type="password" autoComplete="new-password" minLength={12} required />
      </Form>
    </section>
  );
}
