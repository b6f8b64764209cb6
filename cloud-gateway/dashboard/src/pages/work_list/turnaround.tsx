// How long a result has waited for its verdict, beside how long its site's results usually wait.
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { listTurnaround, type ResultSummary, type Turnaround } from '../../api';
import { waited } from '../../time';

/** A minute is what the timer shows; a site's median moves slower still. */
const EVERY_MS = 60_000;

const now = signal(Date.now());
/** By site. */
export const turnarounds = signal<ReadonlyMap<string, Turnaround>>(new Map());

/** Keeps the timer and the medians fresh while the list is shown. */
export function followTurnaround(): () => void {
  const learn = async (unattended: boolean): Promise<void> => {
    now.value = Date.now();
    try {
      turnarounds.value = new Map((await listTurnaround(unattended)).items.map((one) => [one.site, one]));
    } catch {
      // Without the medians the timer itself still tells.
    }
  };
  void learn(false);
  const timer = setInterval(() => void (document.hidden || learn(true)), EVERY_MS);
  return () => clearInterval(timer);
}

export function Waiting({ line }: { line: ResultSummary }): JSX.Element | null {
  if (line.verdict !== null) return null;
  const ms = Math.max(now.value - new Date(line.received_at).getTime(), 0);
  const usual = turnarounds.value.get(line.site);
  const median = usual?.median_ms ?? null;
  const long = median !== null && ms > median;
  return (
    <span class={`waiting${long ? ' long' : ''}`} title={median === null ? 'This site has no reviewed result to compare with' : `Median of the last ${usual?.reviews} reviews at ${line.site}`}>
      waits {waited(ms)}
      {median !== null && ` (median ${waited(median)})`}
    </span>
  );
}
