// Layers over the stage, one device pixel of theirs on one of the screen's, whatever its density: each is as many CSS pixels
// large as the stage has device pixels, and scaled down.
import type { Point, Size } from '../geometry';

/** The stage's first whole device pixel, from the page's corner: it may begin within one, and a film there would smear. */
export function originOf(stage: Element): Point {
  const { left, top } = stage.getBoundingClientRect();
  return { x: Math.ceil(left * devicePixelRatio), y: Math.ceil(top * devicePixelRatio) };
}

/** Lays an element of so many device pixels over its stage, pixel upon pixel, whatever the screen's density. */
export function layOver(element: HTMLElement | SVGElement | null, { width, height }: Size): void {
  const stage = element?.parentElement;
  if (element === null || stage === null || stage === undefined) return;
  const { left, top } = stage.getBoundingClientRect();
  const [origin, ratio] = [originOf(stage), devicePixelRatio];
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  element.style.transform = `translate(${origin.x / ratio - left}px, ${origin.y / ratio - top}px) scale(${1 / ratio})`;
}

/** The film's and the evidence's layer. */
export function fitOver({ glass, evidence }: { glass: HTMLElement; evidence: HTMLElement }, to: Size): void {
  layOver(glass, to);
  layOver(evidence, to);
}
