// A probability as a bar with the threshold's tick, and always as a number beside it.
import type { JSX } from 'preact';
import { percent, percentThreshold } from '../words';

export function Probability({ value, threshold, large = false }: { value: number; threshold: number | null; large?: boolean }): JSX.Element {
  const positive = threshold !== null && value >= threshold;
  const title = threshold === null ? '' : `Called positive from ${percentThreshold(threshold)} on (the tick)`;
  return (
    <span class={`probability ${positive ? 'positive' : 'negative'}${large ? ' large' : ''}`} title={title}>
      <span class="bar" aria-hidden="true">
        <span class="fill" style={{ width: `${value * 100}%` }} />
        {threshold !== null && <span class="tick" style={{ left: `${threshold * 100}%` }} />}
      </span>
      <span class="number">{percent(value, threshold)}</span>
    </span>
  );
}
