// What stands in the corners of the film: window, zoom, turn, sides, and what the tool in hand does.
import type { JSX } from 'preact';
import type { Placement } from '../geometry';
import { regionWords, type Region, type Shape } from '../region';
import type { View } from './view';

interface Props {
  view: View;
  /** As drawn; null before the first drawing. */
  place: Placement | null;
  region: Region | null;
}

const TURNED = { 90: 'Turned 90° clockwise', 180: 'Upside down', 270: 'Turned 90° anticlockwise' } as const;

export function Readout({ view, place, region }: Props): JSX.Element {
  const { center, width } = view.window.value;
  const tool = view.tool.value;
  const turn = place?.turn ?? 0;
  return (
    <>
      <p class="corner sides">R and L: as marked on the film, never mirrored</p>
      {turn !== 0 && (
        <p class="corner turned" role="status">
          {TURNED[turn]}
        </p>
      )}
      <p class="corner numbers" aria-hidden="true">
        C {Math.round(center)} · W {Math.round(width)}
        {view.negative.value ? ' · inverted' : ''}
        <br />
        {Math.round((place ?? view.placement.value).scale * 100)} % of the {view.film.columns} × {view.film.rows} preview
      </p>
      {tool !== 'window' && tool !== 'pan' && (
        <p class="corner hint" role="status">
          {hint(tool, region)}
        </p>
      )}
    </>
  );
}

function hint(tool: Shape, region: Region | null): string {
  if (region?.shape === tool) return `${regionWords(region)}. Drag it, or draw another; x removes it. It goes with your verdict.`;
  return tool === 'freehand' ? 'Draw round the region' : `Drag from corner to corner, or press Enter for a region to move with the arrow keys`;
}
