// The lines of the work list. Keeps the line under the reader's eyes where it is when lines come in above it.
import { useSignalEffect } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ResultSummary } from '../../api';
import { studyPath } from '../../routes';
import { Probability } from '../../shell/probability';
import { When } from '../../shell/when';
import { cursor, loadingMore, loadMore, selected } from '../../work_list';
import { Waiting } from './turnaround';
import { findingTitle, patientWords, reasonWords, SECOND_READING, VERDICT_SHORT } from '../../words';

interface Props {
  lines: readonly ResultSummary[];
  open: (id: string) => void;
}

export function ResultTable({ lines, open }: Props): JSX.Element {
  const scroller = useSteadyScroll(lines);
  useSignalEffect(() => {
    if (selected.value !== null) rowOf(scroller.current, selected.value)?.scrollIntoView({ block: 'nearest' });
  });
  return (
    <div class="scroller" ref={scroller} tabIndex={-1}>
      <table class="results">
        <thead>
          <tr>
            <th scope="col">Finding</th>
            <th scope="col">Probability of pneumonia</th>
            <th scope="col">View · age · sex</th>
            <th scope="col">Site</th>
            <th scope="col">Received</th>
            <th scope="col">Review</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Line key={line.id} line={line} open={open} current={selected.value === line.id} />
          ))}
        </tbody>
      </table>
      {cursor.value !== null && (
        <p class="more">
          <button type="button" disabled={loadingMore.value} onClick={() => void loadMore()}>
            {loadingMore.value ? 'Loading…' : 'Load more'}
          </button>
        </p>
      )}
    </div>
  );
}

function Line({ line, open, current }: { line: ResultSummary; open: (id: string) => void; current: boolean }): JSX.Element {
  const urgent = line.finding === 'positive' && line.verdict === null;
  return (
    <tr data-id={line.id} data-urgent={urgent ? '' : undefined} aria-current={current ? 'true' : undefined} onClick={(event) => openPlainly(event, line.id, open)}>
      <td class={`finding ${line.finding ?? line.outcome}`}>
        <a href={studyPath(line.id)}>{findingTitle(line)}</a>
      </td>
      <td>
        {line.probability === null ? <span class="reason">{reasonWords(line.reason)}</span> : <Probability value={line.probability} threshold={line.threshold} />}
      </td>
      <td>{patientWords(line)}</td>
      <td>
        {line.site} <span class="quiet device">{line.device}</span>
        {line.model !== null && <span class="quiet device"> {line.model.version}</span>}
      </td>
      <td>
        <When iso={line.received_at} /> <Waiting line={line} />
      </td>
      <td>
        <VerdictState line={line} />
        {line.second_reading !== null && <span class="quiet device">{SECOND_READING[line.second_reading]}</span>}
      </td>
    </tr>
  );
}

function VerdictState({ line }: { line: ResultSummary }): JSX.Element {
  if (line.verdict === null) return <span class="verdict none">To review</span>;
  return <span class={`verdict ${line.verdict}`}>{VERDICT_SHORT[line.verdict]}</span>;
}

/** A click anywhere on the line opens it; selecting text or opening in a new tab does not. */
function openPlainly(event: MouseEvent, id: string, open: (id: string) => void): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || getSelection()?.toString()) return;
  event.preventDefault();
  open(id);
}

function rowOf(scroller: HTMLElement | null, id: string): HTMLElement | null {
  return scroller?.querySelector<HTMLElement>(`tr[data-id="${CSS.escape(id)}"]`) ?? null;
}

/**
 * Holds the first visible line still when the lines change. At the very top it lets them move, so that a new urgent
 * finding shows itself there.
 */
function useSteadyScroll(lines: readonly ResultSummary[]): { current: HTMLDivElement | null } {
  const scroller = useRef<HTMLDivElement>(null);
  const anchor = useRef<{ id: string; top: number } | null>(null);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const held = anchor.current === null ? null : rowOf(box, anchor.current.id);
    if (held !== null && anchor.current !== null && box.scrollTop > 0) box.scrollTop += held.getBoundingClientRect().top - anchor.current.top;
    const remember = (): void => {
      anchor.current = firstVisible(box);
    };
    remember();
    box.addEventListener('scroll', remember, { passive: true });
    return () => box.removeEventListener('scroll', remember);
  }, [lines]);
  return scroller;
}

function firstVisible(box: HTMLElement): { id: string; top: number } | null {
  const edge = box.getBoundingClientRect().top + (box.querySelector('thead')?.offsetHeight ?? 0);
  for (const row of box.querySelectorAll<HTMLElement>('tbody tr')) {
    const { top, bottom } = row.getBoundingClientRect();
    if (bottom > edge && row.dataset.id !== undefined) return { id: row.dataset.id, top };
  }
  return null;
}
