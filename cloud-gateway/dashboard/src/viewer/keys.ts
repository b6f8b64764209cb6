// The viewer's single keys, for the page that shows it.
import type { Signal } from '@preact/signals';
import { STEP } from '../geometry';
import type { Shortcut } from '../keyboard';
import type { Region } from '../region';
import { fullscreenPossible, toggleFullscreen } from './fullscreen';
import { opacity, type Tool, type View } from './view';

export function viewing(view: View, region: Signal<Region | null>): Shortcut[] {
  return [...drawing(view, region), ...looking(view), ...placing(view)];
}

function drawing(view: View, region: Signal<Region | null>): Shortcut[] {
  const take = (tool: Tool) => (): void => {
    view.tool.value = tool;
    document.querySelector<HTMLElement>('.stage')?.focus();
  };
  const drawn = view.tool.value !== 'window' && view.tool.value !== 'pan';
  return [
    // Escape first puts the pen down; only the next one leaves the study.
    ...(drawn ? [{ key: 'Escape', does: 'Put the pen down', run: take('window') }] : []),
    { key: 'l', does: 'Dragging: window, move', run: take('window') },
    { key: 'p', does: 'Dragging: window, move', run: take('pan') },
    { key: 'b', does: 'Draw a rectangle, an ellipse, freehand (Enter puts one in the middle)', run: take('rectangle') },
    { key: 'e', does: 'Draw a rectangle, an ellipse, freehand (Enter puts one in the middle)', run: take('ellipse') },
    { key: 'h', does: 'Draw a rectangle, an ellipse, freehand (Enter puts one in the middle)', run: take('freehand') },
    { key: 'x', does: 'Remove the region', run: () => (region.value = null) },
  ];
}

function looking(view: View): Shortcut[] {
  const fade = (by: number) => (): void => void (opacity.value = Math.min(Math.max(Math.round((opacity.value + by) * 20) / 20, 0.05), 1));
  const presets = view.film.presets.map(({ id }) => id);
  const cycle = (): void => view.choose(presets[(presets.indexOf(view.preset.peek() ?? 'full') + 1) % presets.length] ?? 'delivered');
  return [
    { key: 'o', does: 'Model’s evidence on or off', run: () => (view.evidenceOn.value = !view.evidenceOn.value) },
    { key: '[', does: 'Evidence fainter, stronger', run: fade(-0.1) },
    { key: ']', does: 'Evidence fainter, stronger', run: fade(0.1) },
    { key: 'w', does: 'Next window preset', run: cycle },
    { key: 'i', does: 'Invert', run: () => (view.negative.value = !view.negative.value) },
  ];
}

function placing(view: View): Shortcut[] {
  return [
    { key: '+', does: 'Zoom in, out', run: () => view.zoom(STEP) },
    { key: '-', does: 'Zoom in, out', run: () => view.zoom(1 / STEP) },
    { key: 'f', does: 'The whole film', run: view.fit },
    { key: '1', does: 'One preview pixel per screen pixel', run: view.actual },
    { key: ',', does: 'A quarter turn anticlockwise, clockwise', run: () => view.turn('anticlockwise') },
    { key: '.', does: 'A quarter turn anticlockwise, clockwise', run: () => view.turn('clockwise') },
    { key: 'r', does: 'Reset the view', run: view.reset },
    ...(fullscreenPossible ? [{ key: 'v', does: 'Full screen', run: toggleFullscreen }] : []),
  ];
}
