// How far readers agree on the films that two of them read, the second without sight of the first's verdict.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { readAgreement, type Agreement, type Coefficient } from '../api';
import { Notice } from '../shell/notice';
import { coefficientWords } from '../words';

export function AgreementPage(): JSX.Element {
  const found = useSignal<Agreement | null>(null);
  const trouble = useSignal<string | null>(null);
  useEffect(() => {
    readAgreement().then(
      (agreement) => (found.value = agreement),
      (error: unknown) => (trouble.value = error instanceof Error ? error.message : 'The agreement could not be loaded.'),
    );
  }, []);
  return (
    <div class="page">
      <h1>Readers’ agreement</h1>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {found.value === null && trouble.value === null && <p class="quiet">Counting…</p>}
      {found.value !== null && <Found agreement={found.value} />}
      <p>
        All verdicts by stand-ins, without notes: <a href="/api/v1/verdict-export?format=csv" download target="_self">as a table (CSV)</a>,{' '}
        <a href="/api/v1/verdict-export?format=fhir" download target="_self">
          as FHIR R4
        </a>
        . What awaits a blind second reading is left out.
      </p>
    </div>
  );
}

function Found({ agreement: { alpha, pairs, films } }: { agreement: Agreement }): JSX.Element {
  if (films === 0) {
    return <p>No film was read by two readers yet. One is when it is drawn by the configured share, or when a reviewer asks for a second reading on its page.</p>;
  }
  return (
    <>
      <p>
        {films} {films === 1 ? 'film was' : 'films were'} read twice (the latest 2,000 are counted). Over all readers, Krippendorff’s alpha is <strong>{coefficientWords(alpha)}</strong>.
      </p>
      <p class="quiet">
        1 is agreement on every film, 0 what chance alone would give. The verdicts are compared (agree, disagree, uncertain, unreadable), not the findings. An interval that is wide says that too few films were read
        twice to know.
      </p>
      <div class="scroller">
        <table class="results">
          <caption class="hidden">Every two readers</caption>
          <thead>
            <tr>
              <th scope="col">Readers</th>
              <th scope="col">Films</th>
              <th scope="col">Cohen’s kappa (95 % interval)</th>
            </tr>
          </thead>
          <tbody>
            {pairs.map(({ first, second, kappa, films: both }) => (
              <Line key={`${first} ${second}`} readers={`${first}, ${second}`} films={both} kappa={kappa} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Line({ readers, films, kappa }: { readers: string; films: number; kappa: Coefficient | null }): JSX.Element {
  return (
    <tr>
      <td>{readers}</td>
      <td>{films}</td>
      <td>{coefficientWords(kappa)}</td>
    </tr>
  );
}
