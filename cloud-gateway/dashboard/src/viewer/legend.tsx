// The evidence layer's switch, slider and legend, which says what the colours are and what they are not.
import type { JSX } from 'preact';
import { CONTOURS, FLOOR, type Grid } from '../saliency';
import { evidenceStyle, opacity, type View } from './view';

export function Legend({ view, evidence }: { view: View; evidence: Grid }): JSX.Element {
  const on = view.evidenceOn.value;
  return (
    <div class="legend">
      <div class="controls">
        <button type="button" class="switch" role="switch" aria-checked={on} title="Evidence layer (o)" onClick={() => (view.evidenceOn.value = !on)}>
          <span class="knob" aria-hidden="true" /> Model’s evidence
        </button>
        <label>
          Opacity
          <input type="range" min="0.05" max="1" step="0.05" value={opacity.value} disabled={!on} onInput={(event) => (opacity.value = event.currentTarget.valueAsNumber)} />
          <output>{Math.round(opacity.value * 100)} %</output>
        </label>
        <label>
          Drawn as
          <select disabled={!on} value={evidenceStyle.value} onChange={(event) => (evidenceStyle.value = event.currentTarget.value === 'lines' ? 'lines' : 'colour')}>
            <option value="colour">Colours</option>
            <option value="lines">Lines</option>
          </select>
        </label>
        <Scale />
      </div>
      <p>
        Where the model’s evidence lies, relative to its strongest point in this image; <strong>not an outline of disease</strong>. The strongest point always has the full
        colour, even where the model found little. Made of {evidence.rows} × {evidence.columns} cells, smoothed.
      </p>
    </div>
  );
}

function Scale(): JSX.Element {
  if (evidenceStyle.value === 'lines') {
    return (
      <span class="scale">
        <span class="line low" aria-hidden="true" /> {CONTOURS[0] * 100} % <span class="line high" aria-hidden="true" /> {CONTOURS[1] * 100} % of the strongest
      </span>
    );
  }
  return (
    <span class="scale">
      {FLOOR * 100} % <span class="ramp" aria-hidden="true" /> strongest
    </span>
  );
}
