// The viewer's tools: presets and numbers of the window, what dragging does, zoom, turn, inversion, regions, reset.
import type { JSX } from 'preact';
import { STEP } from '../geometry';
import type { Region } from '../region';
import type { Preset } from '../window';
import { fullscreen, fullscreenPossible, toggleFullscreen } from './fullscreen';
import type { Tool, View } from './view';

interface Props {
  view: View;
  region: Region | null;
  onRegion: (region: Region | null) => void;
  /** Moves the focus to the film. */
  toStage: () => void;
}

export function Tools({ view, region, onRegion, toStage }: Props): JSX.Element {
  return (
    <div class="tools" role="toolbar" aria-label="Viewer">
      <WindowTools view={view} />
      <span class="group">
        <Hand view={view} to="window" words="Window" title="Dragging changes the window: sideways the width, up and down the centre (l)" />
        <Hand view={view} to="pan" words="Move" title="Dragging moves the film (p; also with Shift, or the right button)" />
      </span>
      <PlaceTools view={view} />
      <span class="group" role="group" aria-label="Region">
        <Hand view={view} to="rectangle" words="Rectangle" icon="▭" title="Draw a rectangle on the film (b)" then={toStage} />
        <Hand view={view} to="ellipse" words="Ellipse" icon="⬭" title="Draw an ellipse on the film (e)" then={toStage} />
        <Hand view={view} to="freehand" words="Freehand region" icon="✎" title="Draw round a region (h)" then={toStage} />
        <button type="button" class="icon" aria-label="Remove the region" title="Remove the region (x)" disabled={region === null} onClick={() => onRegion(null)}>
          ✕
        </button>
      </span>
      <span class="group">
        <button type="button" aria-pressed={view.negative.value} title="Black for white (i)" onClick={() => (view.negative.value = !view.negative.value)}>
          Invert
        </button>
        <button type="button" title="Everything as it was when the study was opened (r)" onClick={view.reset}>
          Reset
        </button>
        {fullscreenPossible && (
          <button type="button" aria-pressed={fullscreen.value} title="The viewer alone on the screen (v)" onClick={toggleFullscreen}>
            Full screen
          </button>
        )}
      </span>
    </div>
  );
}

function PlaceTools({ view }: { view: View }): JSX.Element {
  return (
    <span class="group">
      <button type="button" class="icon" title="Zoom out (−)" aria-label="Zoom out" onClick={() => view.zoom(1 / STEP)}>
        −
      </button>
      <button type="button" class="icon" title="Zoom in (+)" aria-label="Zoom in" onClick={() => view.zoom(STEP)}>
        +
      </button>
      <button type="button" title="The whole film (f)" onClick={view.fit}>
        Fit
      </button>
      <button type="button" title="One preview pixel per screen pixel (1)" onClick={view.actual}>
        1:1
      </button>
      <button type="button" class="icon" title="A quarter turn anticlockwise (,)" aria-label="Turn anticlockwise" onClick={() => view.turn('anticlockwise')}>
        ↺
      </button>
      <button type="button" class="icon" title="A quarter turn clockwise (.)" aria-label="Turn clockwise" onClick={() => view.turn('clockwise')}>
        ↻
      </button>
    </span>
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

interface HandProps {
  view: View;
  to: Tool;
  words: string;
  /** In the place of the words. */
  icon?: string;
  title: string;
  then?: () => void;
}

function Hand({ view, to, words, icon, title, then }: HandProps): JSX.Element {
  const take = (): void => {
    view.tool.value = to;
    then?.();
  };
  return (
    <button type="button" class={icon === undefined ? undefined : 'icon'} aria-pressed={view.tool.value === to} aria-label={words} title={title} onClick={take}>
      {icon ?? words}
    </button>
  );
}
