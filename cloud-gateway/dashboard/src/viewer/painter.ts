// Draws a view on a canvas: the film through its grey-scale table, then the evidence layer. Each layer is kept on a
// canvas of its own and made anew only when what it depends on changes.
import type { Film } from '../film';
import type { Placement } from '../geometry';
import { buildTable, paint, type Voi } from '../grayscale';
import { colourise, contours, upsample } from '../saliency';
import type { EvidenceStyle } from './view';

/** The evidence layer's longer side: fine enough to look smooth, small enough to be made in a few milliseconds. */
const LAYER_SIDE = 384;
/** Contour lines are drawn finer, so that they stay thin. */
const LINES_SIDE = 640;

export interface Evidence {
  style: EvidenceStyle;
  opacity: number;
}

type Surface = ReturnType<typeof surface>;

export class Painter {
  private readonly film: Film;
  private readonly grey: Surface;
  private readonly pixels: ImageData;
  private drawnFor = '';
  private readonly layers = new Map<EvidenceStyle, Surface>();

  constructor(film: Film) {
    this.film = film;
    this.grey = surface(film.columns, film.rows);
    this.pixels = this.grey.context.createImageData(film.columns, film.rows);
  }

  /** Draws everything; `evidence` null leaves the film bare. */
  draw(canvas: HTMLCanvasElement, voi: Voi, negative: boolean, place: Placement, evidence: Evidence | null): void {
    const context = canvas.getContext('2d');
    if (context === null) return;
    this.develop(voi, negative);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'high';
    const [width, height] = [this.film.columns * place.scale, this.film.rows * place.scale];
    context.globalAlpha = 1;
    context.drawImage(this.grey.canvas, place.left, place.top, width, height);
    const layer = evidence === null ? null : this.layer(evidence.style);
    if (evidence === null || layer === null) return;
    // Lines cover next to nothing: they start from where they can be seen at all.
    context.globalAlpha = evidence.style === 'lines' ? 0.4 + 0.6 * evidence.opacity : evidence.opacity;
    context.drawImage(layer.canvas, place.left, place.top, width, height);
    context.globalAlpha = 1;
  }

  /** Puts the film through its grey-scale table, unless that is how it already stands. */
  private develop(voi: Voi, negative: boolean): void {
    const key = `${voi.kind} ${'center' in voi ? `${voi.center} ${voi.width}` : ''} ${negative}`;
    if (key === this.drawnFor) return;
    const { samples, offset, range, invert } = this.film;
    const table = buildTable({ voi, offset, range, invert: invert !== negative });
    paint(samples, table, new Uint32Array(this.pixels.data.buffer));
    this.grey.context.putImageData(this.pixels, 0, 0);
    this.drawnFor = key;
  }

  private layer(style: EvidenceStyle): Surface | null {
    const { evidence, rows, columns } = this.film;
    if (evidence === null) return null;
    const made = this.layers.get(style);
    if (made !== undefined) return made;
    const side = style === 'lines' ? LINES_SIDE : LAYER_SIDE;
    const scale = side / Math.max(rows, columns);
    const [height, width] = [Math.max(1, Math.round(rows * scale)), Math.max(1, Math.round(columns * scale))];
    const field = upsample(evidence, height, width);
    const rgba = style === 'lines' ? contours(field, height, width) : colourise(field);
    const layer = surface(width, height);
    layer.context.putImageData(new ImageData(rgba, width, height), 0, 0);
    this.layers.set(style, layer);
    return layer;
  }
}

function surface(width: number, height: number): { canvas: OffscreenCanvas; context: OffscreenCanvasRenderingContext2D } {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('This browser gives no drawing surface: close other tabs and reload.');
  return { canvas, context };
}
