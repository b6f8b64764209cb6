// The window above the film: preset, centre, width, and the way back to how the study was opened.
import type { JSX } from 'preact';
import type { Preset } from '../window';
import type { View } from './view';

export function WindowBar({ view }: { view: View }): JSX.Element {
  const { center, width } = view.window.value;
  const chosen = view.film.presets.find(({ id }) => id === view.preset.value);
  return (
    <div class="window-bar" role="group" aria-label="Window">
      <select aria-label="Window preset" value={view.preset.value ?? ''} onChange={(event) => view.choose(event.currentTarget.value as Preset['id'])}>
        {view.preset.value === null && <option value="">By hand</option>}
        {view.film.presets.map(({ id, name, why }) => (
          <option key={id} value={id} title={why}>
            {name}
          </option>
        ))}
      </select>
      <NumberInput name="Centre" value={center} set={(value) => view.setWindow({ center: value, width })} />
      <NumberInput name="Width" value={width} least={2} set={(value) => view.setWindow({ center, width: value })} />
      <span class="why">{chosen === undefined ? 'changed by hand; the model saw it as acquired' : chosen.why}</span>
      <button type="button" title="Everything as it was when the study was opened (r)" onClick={view.reset}>
        Reset
      </button>
    </div>
  );
}

function NumberInput({ name, value, least, set }: { name: string; value: number; least?: number; set: (value: number) => void }): JSX.Element {
  return (
    <label class="number-input">
      {name}
      <input
        type="number"
        step="1"
        min={least}
        value={Math.round(value)}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isFinite(typed)) set(typed);
        }}
      />
    </label>
  );
}
