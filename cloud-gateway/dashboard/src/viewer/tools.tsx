// The viewer's tools, as a rail beside the film: what dragging does, zoom, turn, inversion, regions.
import type { JSX } from 'preact';
import { STEP } from '../geometry';
import type { Region } from '../region';
import { fullscreen, fullscreenPossible, toggleFullscreen } from './fullscreen';
import { Icon, type IconName } from './icons';
import type { Tool, View } from './view';

interface Props {
  view: View;
  region: Region | null;
  onRegion: (region: Region | null) => void;
  /** Moves the focus to the film. */
  toStage: () => void;
}

export function Tools({ view, region, onRegion, toStage }: Props): JSX.Element {
  const hand = (to: Tool, name: string, icon: IconName, title: string): JSX.Element => {
    const take = (): void => {
      view.tool.value = to;
      if (to !== 'window' && to !== 'pan') toStage();
    };
    return <ToolButton name={name} icon={icon} title={title} pressed={view.tool.value === to} run={take} />;
  };
  return (
    <div class="rail" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {hand('window', 'Window', 'window', 'Dragging changes the window: sideways the width, up and down the centre (l)')}
      {hand('pan', 'Move', 'pan', 'Dragging moves the film (p; also with Shift, or the right button)')}
      <hr />
      <ToolButton name="Zoom in" icon="zoomIn" title="Zoom in (+)" run={() => view.zoom(STEP)} />
      <ToolButton name="Zoom out" icon="zoomOut" title="Zoom out (−)" run={() => view.zoom(1 / STEP)} />
      <ToolButton name="Fit" icon="fit" title="The whole film (f)" run={view.fit} />
      <button type="button" title="One preview pixel per screen pixel (1)" onClick={view.actual}>
        1:1
      </button>
      <ToolButton name="Turn anticlockwise" icon="anticlockwise" title="A quarter turn anticlockwise (,)" run={() => view.turn('anticlockwise')} />
      <ToolButton name="Turn clockwise" icon="clockwise" title="A quarter turn clockwise (.)" run={() => view.turn('clockwise')} />
      <ToolButton name="Invert" icon="invert" title="Black for white (i)" pressed={view.negative.value} run={() => (view.negative.value = !view.negative.value)} />
      {fullscreenPossible && <ToolButton name="Full screen" icon="fullscreen" title="The viewer alone on the screen (v)" pressed={fullscreen.value} run={toggleFullscreen} />}
      <hr />
      {hand('rectangle', 'Rectangle', 'rectangle', 'Draw a rectangle on the film (b)')}
      {hand('ellipse', 'Ellipse', 'ellipse', 'Draw an ellipse on the film (e)')}
      {hand('freehand', 'Freehand region', 'freehand', 'Draw round a region (h)')}
      <ToolButton name="Remove the region" icon="remove" title="Remove the region (x)" off={region === null} run={() => onRegion(null)} />
    </div>
  );
}

interface ToolProps {
  name: string;
  icon: IconName;
  title: string;
  pressed?: boolean;
  off?: boolean;
  run: () => void;
}

function ToolButton({ name, icon, title, pressed, off = false, run }: ToolProps): JSX.Element {
  return (
    <button type="button" aria-label={name} aria-pressed={pressed} title={title} disabled={off} onClick={run}>
      <Icon name={icon} />
    </button>
  );
}
