// Which results the work list shows.
import type { JSX } from 'preact';
import type { Opinion, ResultFilter, SecondReading } from '../../api';
import { go } from '../../router';
import { listPath } from '../../filter';
import { filter, items } from '../../work_list';
import { turnarounds } from './turnaround';

interface Choice {
  value: string;
  words: string;
}

const FINDINGS: Choice[] = [
  { value: '', words: 'All' },
  { value: 'positive', words: 'Suspected' },
  { value: 'negative', words: 'Not seen' },
  { value: 'none', words: 'Not assessed' },
];
const REVIEWS: Choice[] = [
  { value: '', words: 'All' },
  { value: 'false', words: 'To review' },
  { value: 'true', words: 'Reviewed' },
];

export function Filters(): JSX.Element {
  const now = filter.value;
  return (
    <div class="filters">
      <Choices
        name="finding"
        label="Pneumonia"
        choices={FINDINGS}
        value={now.finding ?? ''}
        choose={(value) => go(listPath({ ...now, finding: FINDING[value] ?? null }), true)}
      />
      <Choices
        name="reviewed"
        label="Review"
        choices={REVIEWS}
        value={now.reviewed === null ? '' : String(now.reviewed)}
        choose={(value) => go(listPath({ ...now, reviewed: value === '' ? null : value === 'true' }), true)}
      />
      <Chosen id="verdict" words="Verdict" value={now.verdict} values={OPINIONS} choose={(verdict) => ({ ...now, verdict: OPINIONS.find((one) => one === verdict) ?? null })} />
      <Chosen id="second" words="Second reading" value={now.second_reading} values={STATES} choose={(state) => ({ ...now, second_reading: STATES.find((one) => one === state) ?? null })} />
      <Chosen id="site" words="Site" value={now.site} values={[...turnarounds.value.keys()]} choose={(site) => ({ ...now, site })} />
      <Chosen id="model" words="Model" value={now.model} values={models()} choose={(model) => ({ ...now, model })} />
      {now.device !== null && (
        <button type="button" class="chip" onClick={() => go(listPath({ ...now, device: null }), true)}>
          Device {now.device} <span aria-hidden="true">×</span>
          <span class="hidden">: remove this filter</span>
        </button>
      )}
    </div>
  );
}

const STATES: SecondReading[] = ['requested', 'awaiting', 'concordant', 'discordant', 'adjudicated'];
const OPINIONS: Opinion[] = ['agree', 'disagree', 'uncertain', 'unreadable'];

/** The models that read what is on the list now. */
function models(): string[] {
  const names = (items.value ?? []).flatMap(({ model }) => (model === null ? [] : [`${model.id}@${model.version}`]));
  return [...new Set(names)].sort();
}

/** One value of few, or all. The one that is set can be unset even where no line has it. */
function Chosen({ id, words, value, values, choose }: { id: string; words: string; value: string | null; values: readonly string[]; choose: (value: string | null) => ResultFilter }): JSX.Element | null {
  const offered = value === null || values.includes(value) ? values : [value, ...values];
  if (offered.length < 2 && value === null) return null;
  return (
    <label class="chosen" for={id}>
      {words}
      <select id={id} value={value ?? ''} onChange={(event) => go(listPath(choose(event.currentTarget.value || null)), true)}>
        <option value="">All</option>
        {offered.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

const FINDING = { positive: 'positive', negative: 'negative', none: 'none' } as Record<string, 'positive' | 'negative' | 'none'>;

function Choices({ name, label, choices, value, choose }: { name: string; label: string; choices: Choice[]; value: string; choose: (value: string) => void }): JSX.Element {
  return (
    <fieldset class="segments">
      <legend>{label}</legend>
      <div>
        {choices.map((choice) => (
          <label key={choice.value}>
            <input type="radio" name={name} value={choice.value} checked={choice.value === value} onChange={() => choose(choice.value)} />
            <span>{choice.words}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
