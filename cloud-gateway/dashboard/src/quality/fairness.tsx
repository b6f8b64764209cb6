// Whether the model misses more in one group of patients than in all others.
import type { JSX } from 'preact';
import { Behind } from './parts';
import { Plot } from './plot';
import type { Fairness, FairnessGroup, Interval } from './types';
import { DIMENSIONS, percentage, percentages, shareWords } from './words';

export function FairnessSection({ said }: { said: Fairness }): JSX.Element {
  return (
    <section aria-labelledby="fairness">
      <h2 id="fairness">Groups of patients, sites and devices</h2>
      <p class="quiet">
        Missed: of the studies that are positive to the reviewer, those called negative. A group with fewer than {said.fewest_positives} such studies is named and nothing is
        said of it. {said.comparisons} comparisons were made: about one in 20 of them has an interval without 0 where there is no difference at all.
        {said.newest_only && ' The period holds more verdicts than are computed with; these are the newest.'}
      </p>
      {said.dimensions.map(({ name, groups }) => (
        <Dimension key={name} name={DIMENSIONS[name] ?? name} groups={groups} />
      ))}
    </section>
  );
}

function Dimension({ name, groups }: { name: string; groups: FairnessGroup[] }): JSX.Element {
  const known = groups.filter((group) => group.false_negative_rate !== null);
  return (
    <div class="figure">
      <h3>{name}</h3>
      <div class={known.length > 1 ? 'columns wide' : ''}>
        {known.length > 1 && <Forest name={name} groups={known} />}
        <div class="table-room" tabIndex={0} role="region" aria-label={`${name}, as a table`}>
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">Group</th>
                <th scope="col">Read</th>
                <th scope="col">Called positive</th>
                <th scope="col">Missed, of the judged</th>
                <th scope="col">Missed of all, corrected</th>
                <th scope="col">Difference to all others</th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <Row key={group.name} group={group} />
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </div>
  );
}

function Forest({ name, groups }: { name: string; groups: FairnessGroup[] }): JSX.Element {
  const x = groups.map((_, place) => place);
  return (
    <Plot
      label={`Share missed by ${name.toLowerCase()}, with intervals; the table beside it has its numbers`}
      x={x}
      xRange={[-0.5, groups.length - 0.5]}
      names={groups.map((group) => group.name)}
      yMost={Math.min(1, 1.1 * Math.max(...groups.map((group) => group.false_negative_rate?.interval?.high ?? 0)))}
      xLabel={name}
      yLabel="Missed, of the judged"
      lines={[
        {
          label: 'Missed',
          values: groups.map((group) => group.false_negative_rate?.value ?? null),
          limits: groups.map((group) => group.false_negative_rate?.interval ?? null),
          as: 'points',
          colour: 'accent',
        },
      ]}
    />
  );
}

const TOO_FEW = <span class="quiet">too few</span>;

function Row({ group }: { group: FairnessGroup }): JSX.Element {
  const corrected = group.corrected_false_negative_rate;
  return (
    <tr>
      <th scope="row">{group.name}</th>
      <td>
        <Behind link={group.studies} n={group.called.positive + group.called.negative} />
      </td>
      <td>{group.positive_rate === null ? TOO_FEW : shareWords(group.positive_rate)}</td>
      <td>
        {group.false_negative_rate === null ? TOO_FEW : shareWords(group.false_negative_rate)}
        {group.judged.false_negatives > 0 && (
          <>
            {' · '}missed: <Behind link={group.missed_studies} n={group.judged.false_negatives} />
          </>
        )}
      </td>
      <td>{corrected === null ? TOO_FEW : `${percentage(corrected.value)} (95 %: ${percentages(corrected.interval)})`}</td>
      <td>{group.gap === null ? TOO_FEW : gapWords(group.gap)}</td>
    </tr>
  );
}

function gapWords({ value, interval }: { value: number; interval: Interval }): string {
  const points = (share: number): string => `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;
  return `${points(value)} points (95 %: ${points(interval.low)} to ${points(interval.high)})`;
}
