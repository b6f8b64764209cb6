// The film on its canvas, with tools above and the legend of the evidence layer below.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { effect } from '@preact/signals';
import type { JSX } from 'preact';
import { bindGestures } from './gestures';
import { Legend } from './legend';
import { Painter } from './painter';
import { Tools } from './tools';
import { evidenceStyle, opacity, type View } from './view';

export function Viewer({ view, label }: { view: View; label: string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useMemo(() => new Painter(view.film), [view]);
  useEffect(() => (canvas.current === null ? undefined : mount(canvas.current, view, painter)), [view, painter]);
  const { center, width } = view.window.value;
  return (
    <section class="viewer" aria-label="Radiograph">
      <Tools view={view} />
      <div class="stage">
        <canvas ref={canvas} class="film" tabIndex={0} role="img" aria-label={`${label}. Window centre ${center}, width ${width}. Arrow keys change the window.`} data-testid="film" />
        <p class="corner" aria-hidden="true">
          C {Math.round(center)} · W {Math.round(width)}
          {view.negative.value ? ' · inverted' : ''}
          <br />
          {Math.round(view.placement.value.scale * 100)} % of the {view.film.columns} × {view.film.rows} preview
        </p>
      </div>
      {view.film.evidence !== null && <Legend view={view} evidence={view.film.evidence} />}
    </section>
  );
}

/** Keeps the canvas as large as its place on the page, redraws on every change, at most once a frame. */
function mount(canvas: HTMLCanvasElement, view: View, painter: Painter): () => void {
  const place = canvas.parentElement ?? canvas;
  const measure = (): void => {
    const ratio = devicePixelRatio;
    const next = { width: Math.max(1, Math.round(place.clientWidth * ratio)), height: Math.max(1, Math.round(place.clientHeight * ratio)) };
    if (next.width !== view.size.peek().width || next.height !== view.size.peek().height) view.size.value = next;
  };
  const observer = new ResizeObserver(measure);
  observer.observe(place);
  measure();
  let frame = 0;
  const stop = effect(() => {
    const [voi, negative, placement, size] = [view.voi.value, view.negative.value, view.placement.value, view.size.value];
    const evidence = view.evidenceOn.value ? { style: evidenceStyle.value, opacity: opacity.value } : null;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (canvas.width !== size.width || canvas.height !== size.height) [canvas.width, canvas.height] = [size.width, size.height];
      painter.draw(canvas, voi, negative, placement, evidence);
    });
  });
  const unbind = bindGestures(canvas, view);
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    stop();
    unbind();
  };
}
