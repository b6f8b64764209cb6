// Keys of programs: those there are, a new one with its scopes, and the one moment at which it is shown.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { Form, text } from '../account/form';
import { sitesWords } from '../rights';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { listKeys, makeKey, revokeKey, SCOPES, type Key } from './requests';
import { SitesField, sitesOf } from './sites_field';

const DAYS = 90;

export function KeysPart(): JSX.Element {
  const keys = useSignal<Key[]>([]);
  const made = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const tried = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      keys.value = await listKeys();
      trouble.value = null;
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The keys could not be loaded.';
    }
  };
  useEffect(() => void tried(() => Promise.resolve()), []);
  const make = async (fields: FormData): Promise<void> => {
    const acts = SCOPES.map(([act]) => act).filter((act) => fields.has(act));
    made.value = await makeKey(text(fields, 'name'), acts, sitesOf(fields), Number(text(fields, 'days')));
    keys.value = await listKeys();
  };
  return (
    <section aria-labelledby="keys-title">
      <h2 id="keys-title">Keys of programs</h2>
      <p class="quiet">A program sends its key as “Authorization: Bearer …” and may read what its scopes hold. No key gives verdicts or looks after accounts.</p>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {made.value !== null && (
        <Notice kind="warning">
          Keep this key now; it is not shown again: <code data-testid="api-key">{made.value}</code>
        </Notice>
      )}
      {keys.value.length > 0 && <KeysTable keys={keys.value} revoke={(id) => void tried(() => revokeKey(id))} />}
      <Form button="Make a key" onSend={make}>
        <label for="key-name">What will use it</label>
        <input id="key-name" name="name" maxLength={64} required />
        <fieldset>
          <legend>It may read</legend>
          {SCOPES.map(([act, words]) => (
            <label class="check" key={act}>
              <input type="checkbox" name={act} /> {words}
            </label>
          ))}
        </fieldset>
        <SitesField id="key" sites={[]} />
        <label for="key-days">Days until it ends</label>
        <input id="key-days" name="days" type="number" min={1} max={366} defaultValue={String(DAYS)} required />
      </Form>
    </section>
  );
}

function KeysTable({ keys, revoke }: { keys: Key[]; revoke: (id: string) => void }): JSX.Element {
  return (
    <div class="scroller">
      <table class="results keys-table">
        <thead>
          <tr>
            <th scope="col">Used by</th>
            <th scope="col">Reads</th>
            <th scope="col">Sites</th>
            <th scope="col">Ends</th>
            <th scope="col">Last used</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>{key.name}</td>
              <td>{SCOPES.flatMap(([act, words]) => (key.acts.includes(act) ? [words] : [])).join(', ')}</td>
              <td>{sitesWords(key.sites)}</td>
              <td>
                <When iso={key.expires_at} full />
              </td>
              <td>{key.last_used_at === null ? 'never' : <When iso={key.last_used_at} full />}</td>
              <td>
                {key.revoked_at === null ? (
                  <button type="button" onClick={() => revoke(key.id)} aria-label={`Revoke the key of ${key.name}`}>
                    Revoke
                  </button>
                ) : (
                  'revoked'
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
