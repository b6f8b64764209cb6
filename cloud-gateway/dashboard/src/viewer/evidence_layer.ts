// Draws the model's evidence over the film, on a canvas of its own that lies exactly on the film's. A layer is made when
// it is first asked for and kept.
import type { Film } from '../film';
import { toView, type Placement, type Size } from '../geometry';
import { colourise, contours, upsample } from '../saliency';
import type { EvidenceStyle } from './view';

/** The layer's longer side: fine enough to look smooth, small enough to be made in a few milliseconds. */
const LAYER_SIDE = 384;
/** Contour lines are drawn finer, so that they stay thin. */
const LINES_SIDE = 640;

export interface Evidence {
  style: EvidenceStyle;
  opacity: number;
}

export class EvidenceLayer {
  private readonly film: Film;
  private readonly layers = new Map<EvidenceStyle, OffscreenCanvas>();

  constructor(film: Film) {
    this.film = film;
  }

  /** Draws the layer where the film lies; `evidence` null leaves the canvas clear. */
  draw(canvas: HTMLCanvasElement, size: Size, place: Placement | null, evidence: Evidence | null): void {
    if (canvas.width !== size.width || canvas.height !== size.height) [canvas.width, canvas.height] = [size.width, size.height];
    const context = canvas.getContext('2d');
    if (context === null) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const layer = evidence === null ? null : this.layer(evidence.style);
    if (evidence === null || layer === null || place === null) return;
    const image = { width: this.film.columns, height: this.film.rows };
    const [origin, right, down] = [toView(place, image, { x: 0, y: 0 }), toView(place, image, { x: 1, y: 0 }), toView(place, image, { x: 0, y: 1 })];
    context.setTransform(right.x - origin.x, right.y - origin.y, down.x - origin.x, down.y - origin.y, origin.x, origin.y);
    context.imageSmoothingQuality = 'high';
    // Lines cover next to nothing: they start from where they can be seen at all.
    context.globalAlpha = evidence.style === 'lines' ? 0.4 + 0.6 * evidence.opacity : evidence.opacity;
    context.drawImage(layer, 0, 0, image.width, image.height);
    context.globalAlpha = 1;
  }

  private layer(style: EvidenceStyle): OffscreenCanvas | null {
    const { evidence, rows, columns } = this.film;
    if (evidence === null) return null;
    const made = this.layers.get(style);
    if (made !== undefined) return made;
    const side = style === 'lines' ? LINES_SIDE : LAYER_SIDE;
    const scale = side / Math.max(rows, columns);
    const [height, width] = [Math.max(1, Math.round(rows * scale)), Math.max(1, Math.round(columns * scale))];
    const field = upsample(evidence, height, width);
    const rgba = style === 'lines' ? contours(field, height, width) : colourise(field);
    const layer = new OffscreenCanvas(width, height);
    layer.getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
    this.layers.set(style, layer);
    return layer;
  }
}
