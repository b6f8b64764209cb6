// Which results the work list shows.
import type { JSX } from 'preact';
import { go } from '../../router';
import { listPath } from '../../filter';
import { filter } from '../../work_list';

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
      {now.device !== null && (
        <button type="button" class="chip" onClick={() => go(listPath({ ...now, device: null }), true)}>
          Device {now.device} <span aria-hidden="true">×</span>
          <span class="hidden">: remove this filter</span>
        </button>
      )}
    </div>
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
