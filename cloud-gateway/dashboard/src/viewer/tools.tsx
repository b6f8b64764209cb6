// The viewer's tools: presets and numbers of the window, what dragging does, zoom, inversion, reset.
import type { JSX } from 'preact';
import { STEP } from '../geometry';
import type { Preset } from '../window';
import { tool, type Tool, type View } from './view';

export function Tools({ view }: { view: View }): JSX.Element {
  return (
    <div class="tools" role="toolbar" aria-label="Viewer">
      <WindowTools view={view} />
      <span class="group">
        <Drag to="window" words="Window" title="Dragging changes the window: sideways the width, up and down the centre" />
        <Drag to="pan" words="Pan" title="Dragging moves the film (also with Shift, or the right button)" />
      </span>
      <span class="group">
        <button type="button" title="Zoom out (−)" aria-label="Zoom out" onClick={() => view.zoom(1 / STEP)}>
          −
        </button>
        <button type="button" title="Zoom in (+)" aria-label="Zoom in" onClick={() => view.zoom(STEP)}>
          +
        </button>
        <button type="button" title="The whole film (f)" onClick={view.fit}>
          Fit
        </button>
        <button type="button" title="One preview pixel per screen pixel (1)" onClick={view.actual}>
          1:1
        </button>
      </span>
      <span class="group">
        <button type="button" aria-pressed={view.negative.value} title="Black for white (i)" onClick={() => (view.negative.value = !view.negative.value)}>
          Invert
        </button>
        <button type="button" title="Everything as it was when the study was opened (r)" onClick={view.reset}>
          Reset
        </button>
      </span>
    </div>
  );
}

function WindowTools({ view }: { view: View }): JSX.Element {
  const { center, width } = view.window.value;
  const chosen = view.film.presets.find(({ id }) => id === view.preset.value);
  return (
    <span class="group">
      <select
        aria-label="Window preset"
        title={chosen === undefined ? 'The window was changed by hand' : chosen.why}
        value={view.preset.value ?? ''}
        onChange={(event) => view.choose(event.currentTarget.value as Preset['id'])}
      >
        {view.preset.value === null && <option value="">By hand</option>}
        {view.film.presets.map(({ id, name, why }) => (
          <option key={id} value={id} title={why}>
            {name}
          </option>
        ))}
      </select>
      <NumberInput name="Centre" value={center} set={(value) => view.setWindow({ center: value, width })} />
      <NumberInput name="Width" value={width} least={2} set={(value) => view.setWindow({ center, width: value })} />
    </span>
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

function Drag({ to, words, title }: { to: Tool; words: string; title: string }): JSX.Element {
  return (
    <button type="button" aria-pressed={tool.value === to} title={title} onClick={() => (tool.value = to)}>
      {words}
    </button>
  );
}
