// The record of a result: the model and where it ran, how long each stage took, what the header told.
import type { ComponentChildren, JSX } from 'preact';
import type { ImageHeader, Model, ResultDetail, Stages } from '../api';
import { When } from '../shell/when';
import { ageWords, duration, sexWord, transformWords } from '../words';

export function Facts({ result }: { result: ResultDetail }): JSX.Element {
  return (
    <>
      {result.model !== null && <ModelFacts model={result.model} provider={result.provider} />}
      <Timings stages={result.stages_ms} device={result.device} />
      <section>
        <h2>Study</h2>
        <dl class="facts">
          <Fact name="Study">{short(result.study)}</Fact>
          <Fact name="Patient">{short(result.patient)}</Fact>
          <Fact name="Modality, view">{[result.modality ?? 'not stated', result.view ?? 'view not stated'].join(', ')}</Fact>
          <Fact name="Age, sex">{[result.age_band === null ? 'age not stated' : ageWords(result.age_band), result.sex === null ? 'sex not stated' : sexWord(result.sex)].join(', ')}</Fact>
          <Fact name="Site">{result.site}</Fact>
          <Fact name="Device">{result.device}</Fact>
          <Fact name="Received">
            <When iso={result.received_at} full />
          </Fact>
          <Fact name="Stored here">
            <When iso={result.stored_at} full />
          </Fact>
          {result.image !== null && <ImageFacts image={result.image} />}
        </dl>
        <p class="quiet">Study and patient are pseudonyms, made on the device; names and numbers never leave it.</p>
      </section>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A long pseudonym or digest: its beginning on the page, the whole in the tooltip. */
function short(text: string): JSX.Element {
  return (
    <code title={text} tabIndex={0}>
      {text.length > 20 ? `${text.slice(0, 18)}…` : text}
    </code>
  );
}

function ModelFacts({ model, provider }: { model: Model; provider: string | null }): JSX.Element {
  return (
    <section>
      <h2>Model</h2>
      <dl class="facts">
        <Fact name="Name">{model.title}</Fact>
        <Fact name="Id, version">
          {model.id} {model.version}
        </Fact>
        <Fact name="SHA-256">{short(model.digest)}</Fact>
        <Fact name="Ran on">{provider ?? 'not stated'}</Fact>
      </dl>
    </section>
  );
}

function ImageFacts({ image }: { image: ImageHeader }): JSX.Element {
  const source = image.source_rows !== null && image.source_columns !== null ? `${image.source_columns} × ${image.source_rows}` : 'size not stated';
  return (
    <>
      <Fact name="Original">
        {source}
        {image.bits_stored === null ? '' : `, ${image.bits_stored} bit`}
        {image.photometric === null ? '' : `, ${image.photometric}`}
      </Fact>
      <Fact name="Shown here">
        {image.columns} × {image.rows}, all grey levels kept
      </Fact>
      <Fact name="Grey-scale">
        {transformWords(image.voi)}
        {image.invert ? ', then inverted (MONOCHROME1)' : ''}
      </Fact>
    </>
  );
}

const STAGES: { key: Exclude<keyof Stages, 'total'>; name: string }[] = [
  { key: 'receive', name: 'Receive and store' },
  { key: 'decode', name: 'Decode and grey-scale' },
  { key: 'queue', name: 'Wait for a batch' },
  { key: 'infer', name: 'In the model' },
];

function Timings({ stages, device }: { stages: Stages; device: string }): JSX.Element {
  const longest = Math.max(...STAGES.map(({ key }) => stages[key]), 1);
  return (
    <section>
      <h2>Time on {device}</h2>
      <table class="timings">
        <tbody>
          {STAGES.map(({ key, name }) => (
            <tr key={key}>
              <th scope="row">{name}</th>
              <td class="track" aria-hidden="true">
                <span style={{ width: `${(stages[key] / longest) * 100}%` }} />
              </td>
              <td class="amount">{duration(stages[key])}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={2}>
              From the scanner’s command to the stored result
            </th>
            <td class="amount">{duration(stages.total)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
