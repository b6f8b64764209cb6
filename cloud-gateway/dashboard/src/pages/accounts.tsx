// Everybody's account and the keys of programs, for whoever may look after them.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { Form, text } from '../account/form';
import { AccountPanel, RoleField } from '../accounts/account_panel';
import { KeysPart } from '../accounts/keys';
import { addAccount, listAccounts, type Account } from '../accounts/requests';
import { SitesField, sitesOf } from '../accounts/sites_field';
import { roleWords, sitesWords } from '../rights';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';

export function AccountsPage(): JSX.Element {
  const accounts = useSignal<Account[] | null>(null);
  const chosen = useSignal<string | null>(null);
  const told = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async (): Promise<void> => {
    try {
      accounts.value = await listAccounts();
      trouble.value = null;
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The accounts could not be loaded.';
    }
  };
  useEffect(() => void load(), []);
  const done = async (words: string): Promise<void> => {
    [chosen.value, told.value] = [null, words];
    await load();
  };
  const account = accounts.value?.find(({ username }) => username === chosen.value);
  return (
    <div class="page account wide">
      <h1>Accounts</h1>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {told.value !== null && <Notice kind="info">{told.value}</Notice>}
      {accounts.value !== null && <AccountsTable accounts={accounts.value} choose={(username) => ([chosen.value, told.value] = [username, null])} />}
      {account !== undefined && <AccountPanel key={account.username} account={account} done={done} />}
      <Add done={done} />
      <KeysPart />
    </div>
  );
}

function AccountsTable({ accounts, choose }: { accounts: Account[]; choose: (username: string) => void }): JSX.Element {
  return (
    <div class="scroller">
      <table class="results">
        <thead>
          <tr>
            <th scope="col">User name</th>
            <th scope="col">Shown as</th>
            <th scope="col">Role</th>
            <th scope="col">Sites</th>
            <th scope="col">Second factor</th>
            <th scope="col">Signed in</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {accounts.map((account) => (
            <tr key={account.username}>
              <td>
                <button type="button" onClick={() => choose(account.username)}>
                  {account.username}
                </button>
              </td>
              <td>{account.display_name}</td>
              <td>{roleWords(account.role)}</td>
              <td>{sitesWords(account.sites)}</td>
              <td>{account.has_second_factor ? 'yes' : 'no'}</td>
              <td>{account.last_used_at === null ? 'no' : <When iso={account.last_used_at} full />}</td>
              <td>{account.disabled_at === null ? 'on' : 'switched off'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Add({ done }: { done: (words: string) => Promise<void> }): JSX.Element {
  const add = async (fields: FormData): Promise<void> => {
    const username = text(fields, 'username').trim();
    await addAccount(username, text(fields, 'role'), sitesOf(fields), text(fields, 'password'));
    await done(`${username} can sign in.`);
  };
  return (
    <section aria-labelledby="add-title">
      <h2 id="add-title">New account</h2>
      <Form button="Add" onSend={add}>
        <label for="add-username">User name</label>
        <input id="add-username" name="username" autoComplete="off" autoCapitalize="none" spellcheck={false} maxLength={64} required />
        <RoleField id="add-role" role="reviewer" />
        <SitesField id="add" sites={[]} />
        <label for="add-password">First password, to be changed by its owner</label>
        <input id="add-password" name="password" type="password" autoComplete="new-password" minLength={12} required />
      </Form>
    </section>
  );
}
