// What the model says, in words: the finding, the number, the rule, how good the rule was measured to be.
import type { JSX } from 'preact';
import type { Model, ResultDetail } from '../api';
import { Probability } from '../shell/probability';
import { calibrationSentences, findingTitle, outcomeMeaning, readingSentences, reasonWords } from '../words';

export function Reading({ result, caveats }: { result: ResultDetail; caveats: JSX.Element | null }): JSX.Element {
  const { model, probability } = result;
  return (
    <section class={`reading ${result.finding ?? result.outcome}`} aria-labelledby="finding">
      <h1 id="finding">{findingTitle(result)}</h1>
      {probability !== null && <Probability value={probability} threshold={result.threshold} large />}
      {caveats}
      {result.outcome !== 'read' && <NotRead result={result} outcome={result.outcome} />}
      {probability !== null && model !== null && <Explained probability={probability} model={model} />}
    </section>
  );
}

function NotRead({ result, outcome }: { result: ResultDetail; outcome: 'abstained' | 'unreadable' }): JSX.Element {
  return (
    <>
      <p class="lead" title={result.reason?.code}>
        {reasonWords(result.reason)}
      </p>
      <p>{outcomeMeaning(outcome)}</p>
    </>
  );
}

function Explained({ probability, model }: { probability: number; model: Model }): JSX.Element {
  const [number, rule, measured, caution] = readingSentences(probability, model.operating_point);
  return (
    <>
      <p class="lead">
        {number} {rule}
      </p>
      <p>
        {measured} {caution}
      </p>
      <details>
        <summary>What the percentage means</summary>
        {calibrationSentences(probability).map((words) => (
          <p key={words}>{words}</p>
        ))}
        <p class="quiet">
          Computed as sigmoid({model.calibration.slope.toFixed(3)} × output {model.calibration.intercept < 0 ? '−' : '+'} {Math.abs(model.calibration.intercept).toFixed(3)}), Platt
          scaling of the network’s raw output.
        </p>
      </details>
    </>
  );
}
