// The audit log, newest first: who did what to which result, and the hash that chains each entry to the one before.
import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, listAudit, type AuditItem } from '../api';
import { studyPath } from '../routes';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { actionWords } from '../words';

const PAGE = 100;

export function AuditPage(): JSX.Element {
  const items = useSignal<readonly AuditItem[] | null>(null);
  const cursor = useSignal<string | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async (more: boolean): Promise<void> => {
    try {
      const page = await listAudit(PAGE, more ? cursor.peek() : null);
      items.value = more ? [...(items.peek() ?? []), ...page.items] : page.items;
      [cursor.value, trouble.value] = [page.next_cursor, null];
    } catch (error) {
      trouble.value = refusal(error);
    }
  };
  useEffect(() => void load(false), []);
  return (
    <div class="page">
      <div class="list-head">
        <h1>Audit log</h1>
        <p class="quiet">Entries are only ever added. Each holds the hash of the one before it, so that a missing or changed entry shows.</p>
        <button type="button" onClick={() => void load(false)}>
          Refresh
        </button>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      <Entries items={items} cursor={cursor} more={() => void load(true)} />
    </div>
  );
}

function Entries({ items, cursor, more }: { items: Signal<readonly AuditItem[] | null>; cursor: Signal<string | null>; more: () => void }): JSX.Element | null {
  if (items.value === null) return null;
  if (items.value.length === 0) return <p class="quiet pad">Nothing has been recorded yet.</p>;
  return (
    <div class="scroller">
      <table class="results audit">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Did what</th>
            <th scope="col">To what</th>
            <th scope="col">Detail</th>
            <th scope="col">Hash</th>
          </tr>
        </thead>
        <tbody>
          {items.value.map((item) => (
            <Entry key={item.id} item={item} />
          ))}
        </tbody>
      </table>
      {cursor.value !== null && (
        <p class="more">
          <button type="button" onClick={more}>
            Load more
          </button>
        </p>
      )}
    </div>
  );
}

function Entry({ item }: { item: AuditItem }): JSX.Element {
  const aboutResult = item.action.startsWith('result.') || item.action.startsWith('verdict.');
  return (
    <tr>
      <td>
        <When iso={item.at} full />
      </td>
      <td>{item.actor}</td>
      <td>
        {actionWords(item.action)} <code class="quiet">{item.action}</code>
      </td>
      <td>{item.subject !== null && item.subject !== '' && aboutResult ? <a href={studyPath(item.subject)}>{tail(item.subject)}</a> : (item.subject ?? '')}</td>
      <td>{detailWords(item.detail)}</td>
      <td>
        <code title={item.hash} tabIndex={0}>
          {item.hash.slice(0, 12)}…
        </code>
      </td>
    </tr>
  );
}

/** The random end tells ids apart; their beginning is the time. */
function tail(id: string): string {
  return id.length > 16 ? `…${id.slice(-12)}` : id;
}

function detailWords(detail: unknown): string {
  if (detail === null || detail === undefined) return '';
  if (typeof detail === 'string') return detail;
  if (typeof detail === 'object') {
    return Object.entries(detail)
      .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(', ');
  }
  return JSON.stringify(detail);
}

function refusal(error: unknown): string {
  if (error instanceof ApiError && error.status === 403) return 'Your role may not read the audit log. Ask an administrator for the auditor’s role.';
  return error instanceof Error ? error.message : 'The audit log could not be loaded.';
}
