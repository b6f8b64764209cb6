// The film on its stage, with tools above and the legend of the evidence layer below.
import { useSignal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import type { Placement } from '../geometry';
import { inMiddle, type Region } from '../region';
import { Notice } from '../shell/notice';
import { bindGestures } from './gestures';
import { Legend } from './legend';
import { penOf } from './pen';
import { Readout } from './readout';
import { RegionLayer } from './region_layer';
import { mountStage, type Picture } from './stage';
import { Tools } from './tools';
import type { View } from './view';
import { WindowBar } from './window_bar';

interface Props {
  view: View;
  /** What the film is, for who can't see it. */
  label: string;
  /** The region drawn on it, in columns and rows of the stored image; whoever gives it keeps it. */
  region: ReadonlySignal<Region | null>;
  onRegion: (region: Region | null) => void;
}

export function Viewer({ view, label, region, onRegion }: Props): JSX.Element {
  const [stage, glass, evidence] = [useRef<HTMLDivElement>(null), useRef<HTMLDivElement>(null), useRef<HTMLCanvasElement>(null)];
  const picture = useSignal<Picture>({ is: 'coming' });
  const drawn = useSignal<Placement | null>(null);
  const attempt = useSignal(0);
  const pen = useMemo(() => penOf(view, region, onRegion), [view]);
  useEffect(() => {
    if (stage.current === null || glass.current === null || evidence.current === null) return;
    return mountStage({ parts: { stage: stage.current, glass: glass.current, evidence: evidence.current }, view, picture, drawn });
  }, [view, attempt.value]);
  useEffect(() => (stage.current === null ? undefined : bindGestures(stage.current, view, pen)), [view, pen]);
  const { center, width } = view.window.value;
  const now = picture.value;
  return (
    <section class="viewer" aria-label="Radiograph">
      <WindowBar view={view} />
      <Tools view={view} region={region.value} onRegion={onRegion} toStage={() => stage.current?.focus()} />
      <div
        ref={stage}
        class="stage"
        tabIndex={0}
        role="application"
        aria-label={`${label}. Window centre ${center}, width ${width}. Arrow keys change the window, with Shift they move the film.`}
        data-testid="film"
        data-result={now.is === 'shown' ? view.film.result : undefined}
        data-engines={now.is === 'shown' ? now.held.engines : undefined}
        data-held-bytes={now.is === 'shown' ? now.held.bytes : undefined}
        data-tool={view.tool.value}
        onKeyDown={(event) => beginByKey(event, view, region, onRegion)}
      >
        <div ref={glass} class="glass" />
        <canvas ref={evidence} class="evidence" aria-hidden="true" />
        {region.value !== null && drawn.value !== null && (
          <RegionLayer region={region.value} place={drawn.value} image={view.image} size={view.size.value} editing={view.tool.value === region.value.shape} onRegion={onRegion} />
        )}
        <Readout view={view} place={drawn.value} region={region.value} />
        <Trouble picture={now} again={() => attempt.value++} />
      </div>
      {view.film.evidence !== null && <Legend view={view} evidence={view.film.evidence} />}
    </section>
  );
}

/** Enter puts a region on the film for whoever has no pointer, and goes to it. */
function beginByKey(event: KeyboardEvent & { currentTarget: HTMLElement }, view: View, region: ReadonlySignal<Region | null>, onRegion: Props['onRegion']): void {
  const tool = view.tool.peek();
  if (event.key !== 'Enter' || event.target !== event.currentTarget || tool === 'window' || tool === 'pan') return;
  event.preventDefault();
  if (region.peek()?.shape !== tool) onRegion(inMiddle(tool, { columns: view.film.columns, rows: view.film.rows }));
  requestAnimationFrame(() => document.getElementById('region')?.focus());
}

function Trouble({ picture, again }: { picture: Picture; again: () => void }): JSX.Element | null {
  if (picture.is === 'shown') return null;
  if (picture.is === 'coming') return <p class="coming quiet">Drawing the film…</p>;
  return (
    <div class="trouble">
      <Notice kind="error">
        <strong>The film is not shown.</strong> {picture.is === 'lost' ? 'The browser took its drawing surface away, as it does when a graphics driver fails.' : picture.why}{' '}
        <button type="button" onClick={again}>
          Draw it again
        </button>
      </Notice>
    </div>
  );
}
