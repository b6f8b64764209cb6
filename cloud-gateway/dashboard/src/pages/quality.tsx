// The quality of the model: what its readings and the reviewers' verdicts say of it, each number with how far it may be off.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';
import { getAccuracy, getDrift, getFairness, getFlow, listDevices, type QualityFilter } from '../api';
import { AccuracySection } from '../quality/accuracy';
import { DriftSection } from '../quality/drift';
import { FairnessSection } from '../quality/fairness';
import { FlowSection } from '../quality/flow';
import { PERIODS, qualityPath, wantedOf, type Wanted } from '../quality/words';
import { go, query } from '../router';
import { Notice } from '../shell/notice';

const DAY_MS = 86_400_000;

export function QualityPage(): JSX.Element {
  const wanted = wantedOf(query.value);
  const now = Date.now();
  const { days, device, site, model } = wanted;
  const filter: QualityFilter = { from: new Date(now - days * DAY_MS).toISOString(), to: new Date(now).toISOString(), device, site, model };
  const key = qualityPath(wanted);
  return (
    <div class="page quality">
      <div class="list-head">
        <h1>Quality</h1>
        <p class="quiet">How the model does, by its readings and by what reviewers said. Each number says of how many studies it is and leads to them.</p>
      </div>
      <Narrowing wanted={wanted} />
      <Loaded key={`accuracy ${key}`} load={() => getAccuracy(filter)} show={(said) => <AccuracySection said={said} />} />
      <Loaded key={`fairness ${key}`} load={() => getFairness(filter)} show={(said) => <FairnessSection said={said} />} />
      <Loaded key={`drift ${key}`} load={() => getDrift(filter)} show={({ items }) => <DriftSection items={items} />} />
      <Loaded key={`flow ${key}`} load={() => getFlow(filter)} show={(said) => <FlowSection said={said} />} />
    </div>
  );
}

/** One section, loaded by itself: a slow or broken one holds up no other. */
function Loaded<T>({ load, show }: { load: () => Promise<T>; show: (said: T) => ComponentChildren }): JSX.Element {
  const said = useSignal<T | null>(null);
  const trouble = useSignal<string | null>(null);
  useEffect(() => {
    load().then(
      (answer) => (said.value = answer),
      (error: unknown) => (trouble.value = error instanceof Error ? error.message : 'This could not be loaded.'),
    );
  }, []);
  if (trouble.value !== null) return <Notice kind="error">{trouble.value}</Notice>;
  return <>{said.value === null ? <p class="quiet">Computing…</p> : show(said.value)}</>;
}

function Narrowing({ wanted }: { wanted: Wanted }): JSX.Element {
  const places = useSignal<{ device: string[]; site: string[] }>({ device: [], site: [] });
  useEffect(() => {
    // Without the list the page still works; it only can't be narrowed.
    listDevices().then(
      ({ items }) => (places.value = { device: items.map(({ id }) => id), site: [...new Set(items.map(({ site }) => site))].sort() }),
      () => undefined,
    );
  }, []);
  const choose = (change: Partial<Wanted>): void => go(qualityPath({ ...wanted, ...change }), true);
  return (
    <div class="filters">
      <label>
        Period{' '}
        <select value={wanted.days} onChange={(event) => choose({ days: Number(event.currentTarget.value) })}>
          {PERIODS.map((days) => (
            <option key={days} value={days}>
              last {days} days
            </option>
          ))}
        </select>
      </label>
      {(['site', 'device'] as const).map((name) => (
        <label key={name}>
          {name === 'site' ? 'Site' : 'Device'}{' '}
          <select value={wanted[name] ?? ''} onChange={(event) => choose({ [name]: event.currentTarget.value || null })}>
            <option value="">all</option>
            {places.value[name].map((value) => (
              <option key={value} value={value}>
                {value}
              </option>
            ))}
          </select>
        </label>
      ))}
      {wanted.model !== null && (
        <button type="button" class="chip" onClick={() => choose({ model: null })}>
          Model {wanted.model} <span aria-hidden="true">×</span>
          <span class="hidden">: remove this filter</span>
        </button>
      )}
    </div>
  );
}
