// How long results take, and how many images become one.
import type { JSX } from 'preact';
import { Behind } from './parts';
import type { Flow, Quantile } from './types';
import { shareWords, timeWords } from './words';

export function FlowSection({ said }: { said: Flow }): JSX.Element {
  return (
    <section aria-labelledby="flow">
      <h2 id="flow">Turnaround and readable images</h2>
      <table class="numbers">
        <caption>Time since the scanner was told that the image is safe</caption>
        <thead>
          <tr>
            <td />
            <th scope="col">Half within</th>
            <th scope="col">Nine of ten within</th>
          </tr>
        </thead>
        <tbody>
          <Times name="until the result was here" times={said.delivery_seconds} />
          <Times name="until the first verdict" times={said.first_verdict_seconds} />
        </tbody>
      </table>
      <p>
        Judged studies: <Behind link={said.judged_studies} n={said.first_verdict_seconds?.median.n ?? 0} />
      </p>
      <div class="columns">
        <table class="numbers">
          <caption>What became of the images</caption>
          <thead>
            <tr>
              <th scope="col">Outcome</th>
              <th scope="col">Share</th>
              <th scope="col">Studies</th>
            </tr>
          </thead>
          <tbody>
            {said.outcomes.map(({ outcome, reason, share, studies }) => (
              <tr key={studies}>
                <th scope="row">{reason === null ? outcome : `${outcome}: ${reason}`}</th>
                <td>{shareWords(share)}</td>
                <td>
                  <Behind link={studies} n={share.hits} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <table class="numbers">
          <caption>Images that the model could read, by device</caption>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">Site</th>
              <th scope="col">Read</th>
              <th scope="col">Not read</th>
            </tr>
          </thead>
          <tbody>
            {said.data_quality.map(({ device, site, readable, studies }) => (
              <tr key={device}>
                <th scope="row">{device}</th>
                <td>{site}</td>
                <td>{shareWords(readable)}</td>
                <td>
                  <Behind link={studies} n={readable.n - readable.hits} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Times({ name, times }: { name: string; times: { median: Quantile; p90: Quantile } | null }): JSX.Element {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{times === null ? 'no judged studies' : timeWords(times.median)}</td>
      <td>{times === null ? '' : timeWords(times.p90)}</td>
    </tr>
  );
}
