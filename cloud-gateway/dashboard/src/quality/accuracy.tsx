// What the verdicts say of the model: the four cells, the ROC curve, the reliability diagram.
import type { JSX } from 'preact';
import { Behind, Facts, Figure } from './parts';
import { Plot } from './plot';
import type { Accuracy, CalibrationBin } from './types';
import { numberWords, percentage, percentages, shareWords } from './words';

export function AccuracySection({ said }: { said: Accuracy }): JSX.Element {
  return (
    <section aria-labelledby="accuracy">
      <h2 id="accuracy">Against the reviewers’ verdicts</h2>
      <p class="quiet">
        Reviewers saw the model’s answer before theirs, and mostly open what it called positive. A verdict is not an independent truth, and the reviewed studies are no
        random sample: {shareWords(said.judged_of_positive)} called positive were judged, and {shareWords(said.judged_of_negative)} called negative.
        {said.narrowed && ' The period holds more verdicts than are computed with; these are the newest.'}
      </p>
      <div class="columns">
        <Cells said={said} />
        <Rates said={said} />
      </div>
      <Roc said={said} />
      <Calibration said={said} />
    </section>
  );
}

function Cells({ said: { cells } }: { said: Accuracy }): JSX.Element {
  const cell = (name: keyof typeof cells.studies): JSX.Element => (
    <td>
      <Behind link={cells.studies[name]} n={cells[name]} />
    </td>
  );
  return (
    <table class="numbers">
      <caption>At the operating point</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">Positive to the reviewer</th>
          <th scope="col">Not positive</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Called positive</th>
          {cell('true_positives')}
          {cell('false_positives')}
        </tr>
        <tr>
          <th scope="row">Called negative</th>
          {cell('false_negatives')}
          {cell('true_negatives')}
        </tr>
      </tbody>
    </table>
  );
}

function Rates({ said }: { said: Accuracy }): JSX.Element {
  const corrected = said.corrected_false_negative_rate;
  return (
    <Facts
      rows={[
        ['Sensitivity, of the judged', shareWords(said.rates.sensitivity)],
        ['Specificity, of the judged', shareWords(said.rates.specificity)],
        ['Positive predictive value: reviewers agreed with “positive”', shareWords(said.rates.positive_predictive_value)],
        ['Negative predictive value: reviewers agreed with “negative”', shareWords(said.rates.negative_predictive_value)],
        [
          'Missed of all, corrected for what nobody judged (Begg and Greenes)',
          corrected === null ? 'cannot be said: one of the two calls was not judged' : `${percentage(corrected.value)} (95 %: ${percentages(corrected.interval)})`,
        ],
      ]}
    />
  );
}

function Roc({ said }: { said: Accuracy }): JSX.Element {
  const { auc, roc, rates } = said;
  if (auc === null) return <p class="quiet">No ROC curve: it needs judged studies that are positive and some that are not.</p>;
  const points = [...roc.map((point) => ({ x: point.false_positive_rate, curve: point.true_positive_rate, here: null as number | null }))];
  const [miss, hit] = [rates.specificity.value, rates.sensitivity.value];
  if (miss !== null && hit !== null) points.push({ x: 1 - miss, curve: hit, here: hit });
  points.sort((a, b) => a.x - b.x || a.curve - b.curve);
  const shown = roc.filter((_, place) => place % Math.max(1, Math.ceil(roc.length / 10)) === 0 || place === roc.length - 1);
  return (
    <Figure
      title="ROC curve"
      words={`Area ${numberWords(auc.value, auc.interval)}; ${auc.positives} positive and ${auc.negatives} other studies. The point is the operating point.`}
      plot={
        <Plot
          label="ROC curve with the operating point; the table beside it has its numbers"
          x={points.map(({ x }) => x)}
          xRange={[0, 1]}
          yMost={1}
          xLabel="False positive rate"
          yLabel="True positive rate"
          lines={[
            { label: 'Chance', values: points.map(({ x }) => x), as: 'line', colour: 'quiet', dashed: true },
            { label: 'Model', values: points.map(({ curve }) => curve), as: 'line', colour: 'accent' },
            { label: 'Operating point', values: points.map(({ here }) => here), as: 'points', colour: 'positive' },
          ]}
        />
      }
      head={['Threshold', 'False positive rate', 'True positive rate']}
      rows={shown.map((point) => [
        point.threshold === null ? 'none called' : percentage(point.threshold),
        percentage(point.false_positive_rate),
        percentage(point.true_positive_rate),
      ])}
    />
  );
}

function Calibration({ said }: { said: Accuracy }): JSX.Element | null {
  const { brier, expected_calibration_error: error } = said;
  const bins = said.diagram.filter((bin): bin is CalibrationBin & { mean_probability: number } => bin.mean_probability !== null);
  if (brier === null || error === null || bins.length === 0) return null;
  // The diagonal needs its ends, too.
  const at = [0, ...bins.map((bin) => bin.mean_probability), 1];
  const within = <T,>(values: T[]): (T | null)[] => [null, ...values, null];
  return (
    <Figure
      title="Calibration"
      words={`Expected calibration error ${numberWords(error.value, error.interval)}, Brier score ${numberWords(brier.value, brier.interval)}; ${brier.n} studies, intervals by bootstrap.`}
      plot={
        <Plot
          label="Reliability diagram; the table beside it has its numbers"
          x={at}
          xRange={[0, 1]}
          yMost={1}
          xLabel="Mean probability"
          yLabel="Share that is positive"
          lines={[
            { label: 'Perfect', values: at, as: 'line', colour: 'quiet', dashed: true },
            { label: 'Observed', values: within(bins.map((bin) => bin.observed.value)), as: 'points', colour: 'accent', limits: within(bins.map((bin) => bin.observed.interval)) },
          ]}
        />
      }
      head={['Probability', 'Mean', 'Positive', 'Studies']}
      rows={bins.map((bin) => [
        `${percentage(bin.from)} to ${percentage(bin.to)}`,
        percentage(bin.mean_probability),
        shareWords(bin.observed),
        <Behind key={bin.from} link={bin.studies} n={bin.observed.n} />,
      ])}
    />
  );
}
