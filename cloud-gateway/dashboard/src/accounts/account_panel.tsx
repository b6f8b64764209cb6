// One account, to be changed: name, role, sites, on or off, another password, no second factor.
import type { JSX } from 'preact';
import { Form, text } from '../account/form';
import { roleWords } from '../rights';
import { changeAccount, givePassword, resetSecondFactor, ROLES, type Account } from './requests';
import { SitesField, sitesOf } from './sites_field';

export function AccountPanel({ account, done }: { account: Account; done: (words: string) => Promise<void> }): JSX.Element {
  const { username } = account;
  const change = async (fields: FormData): Promise<void> => {
    await changeAccount(username, { display_name: text(fields, 'display'), role: text(fields, 'role'), sites: sitesOf(fields), disabled: fields.has('disabled') });
    await done(`${username} is changed.`);
  };
  return (
    <section aria-labelledby="panel-title" data-testid="account-panel">
      <h2 id="panel-title">{username}</h2>
      <Form button="Save" onSend={change}>
        <label for="panel-display">Shown as</label>
        <input id="panel-display" name="display" defaultValue={account.display_name} required />
        <RoleField id="panel-role" role={account.role} />
        <SitesField id="panel" sites={account.sites} />
        <label class="check">
          <input type="checkbox" name="disabled" defaultChecked={account.disabled_at !== null} /> Switched off: nobody can sign in with it
        </label>
      </Form>
      <Form
        button="Give another password"
        onSend={async (fields) => {
          await givePassword(username, text(fields, 'password'));
          await done(`${username} has another password. Every session of it has ended.`);
        }}
      >
        <label for="panel-password">Another password, to be changed by its owner</label>
        <input id="panel-password" name="password" type="password" autoComplete="new-password" minLength={12} required />
      </Form>
      {account.has_second_factor && (
        <Form
          button="Take the second factor away"
          onSend={async () => {
            await resetSecondFactor(username);
            await done(`${username} has no second factor any more. Every session of it has ended.`);
          }}
        >
          <p class="quiet">For somebody who lost the phone and the recovery codes. Be sure who is asking.</p>
        </Form>
      )}
    </section>
  );
}

export function RoleField({ id, role }: { id: string; role: string }): JSX.Element {
  return (
    <>
      <label for={id}>Role</label>
      <select id={id} name="role">
        {ROLES.map((one) => (
          <option key={one} value={one} selected={one === role}>
            {roleWords(one)}
          </option>
        ))}
      </select>
    </>
  );
}
