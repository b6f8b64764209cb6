// The audit log, newest first: who did what to which result, and the hash that chains each entry to the one before.
import type { JSX } from 'preact';
import { ApiError, listAudit, type AuditItem } from '../api';
import { studyPath } from '../routes';
import { Notice } from '../shell/notice';
import { More, usePaged } from '../shell/pages';
import { When } from '../shell/when';
import { actionWords } from '../words';

const PAGE = 100;

export function AuditPage(): JSX.Element {
  const { items, trouble, refresh, more } = usePaged((after) => listAudit(PAGE, after), refusal);
  return (
    <div class="page">
      <div class="list-head">
        <h1>Audit log</h1>
        <p class="quiet">Entries are only ever added. Each holds the hash of the one before it, so that a missing or changed entry shows.</p>
        <button type="button" onClick={refresh}>
          Refresh
        </button>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {items.value !== null && <Entries items={items.value} more={more} />}
    </div>
  );
}

function Entries({ items, more }: { items: readonly AuditItem[]; more: (() => void) | null }): JSX.Element {
  if (items.length === 0) return <p class="quiet pad">Nothing has been recorded yet.</p>;
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
          {items.map((item) => (
            <Entry key={item.id} item={item} />
          ))}
        </tbody>
      </table>
      <More more={more} />
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
