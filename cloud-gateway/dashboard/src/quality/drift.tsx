// Whether each device's scores and images are now as in its first weeks with the model.
import type { JSX } from 'preact';
import { Behind, Figure } from './parts';
import { Plot } from './plot';
import type { Drift } from './types';
import { FACTS, pWords, percentage, STATES } from './words';

export function DriftSection({ items }: { items: Drift[] }): JSX.Element {
  return (
    <section aria-labelledby="drift">
      <h2 id="drift">Drift</h2>
      <p class="quiet">
        Scores and images of the period beside the device’s first 28 days with its model, which never move, so that slow drift shows too. A population stability index
        under what chance makes of equal distributions says nothing; from 0.1 on one speaks of a change, from 0.25 on of a large one.
      </p>
      {items.length === 0 && <p>Nothing was read in this period.</p>}
      {items.map((item) => (
        <Device key={`${item.device} ${item.model}`} item={item} />
      ))}
    </section>
  );
}

function Device({ item }: { item: Drift }): JSX.Element {
  const { psi, ks, histogram } = item;
  return (
    <div>
      <Figure
        title={`${item.device} (${item.site}), ${item.model}: ${STATES[item.state]}`}
        words={[
          `Reference ${item.reference.from.slice(0, 10)} to ${item.reference.to.slice(0, 10)}, ${item.reference.n} readings; now ${item.current.n}.`,
          psi === null ? 'No index: each window needs 30 readings.' : `Stability index ${psi.value.toFixed(3)}, by chance up to ${psi.chance.toFixed(3)}.`,
          ks === null ? '' : `Kolmogorov-Smirnov distance ${ks.distance.toFixed(3)}, ${pWords(ks.p)}.`,
        ].join(' ')}
        plot={
          <Plot
            label={`Histogram of ${item.device}’s scores now and in the reference; the table beside it has its numbers`}
            x={[...histogram.map((bar) => bar.from), 1]}
            xRange={[0, 1]}
            xLabel="Probability (solid: now, dashed: reference)"
            yLabel="Share of readings"
            lines={[
              { label: 'Reference', values: closed(histogram.map((bar) => bar.reference.value)), as: 'steps', colour: 'quiet', dashed: true },
              { label: 'Now', values: closed(histogram.map((bar) => bar.current.value)), as: 'steps', colour: 'accent' },
            ]}
          />
        }
        head={['Probability from', 'Reference', 'Now']}
        rows={histogram.map((bar) => [percentage(bar.from), bar.reference.hits, bar.current.hits])}
      />
      <Inputs item={item} />
    </div>
  );
}

/** The last bar ends, too. */
function closed<T>(values: T[]): T[] {
  return [...values, ...values.slice(-1)];
}

function Inputs({ item }: { item: Drift }): JSX.Element {
  return (
    <details>
      <summary>The images themselves: {item.inputs.filter(({ state }) => state === 'changed' || state === 'changed_much').length} of {item.inputs.length} facts changed</summary>
      <div class="table-room" tabIndex={0} role="region" aria-label={`Images of ${item.device}`}>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Fact</th>
              <th scope="col">State</th>
              <th scope="col">Stability index (by chance)</th>
              <th scope="col">Values: reference, now</th>
            </tr>
          </thead>
          <tbody>
            {item.inputs.map(({ fact, state, psi, values }) => (
              <tr key={fact}>
                <th scope="row">{FACTS[fact] ?? fact}</th>
                <td>{STATES[state]}</td>
                <td>{psi === null ? '–' : `${psi.value.toFixed(3)} (${psi.chance.toFixed(3)})`}</td>
                <td>{values.map(({ value, reference, current }) => `${value}: ${reference.hits}, ${current.hits}`).join('; ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p>
        Studies: reference <Behind link={item.reference.studies} n={item.reference.n} />, now <Behind link={item.current.studies} n={item.current.n} />
      </p>
    </details>
  );
}
