// Cornerstone3D behind one film: its loader, its engine, its viewport. The only file that knows the library; it is
// loaded with the first film, so that the work list stays small.
//
// Cornerstone never windows here. It is handed 8-bit greys that `grayscale.ts` made, under a VOI that changes nothing,
// and draws them with its CPU renderer: the same pixels on every machine, with or without a graphics card, which a
// shader's rounding would not promise.
import { cache, Enums, getRenderingEngines, imageLoader, metaData, RenderingEngine, setUseCPURendering, type Types, utilities } from '@cornerstonejs/core';
import type { Film } from '../film';
import { toView, type Placement, type Size } from '../geometry';

/** The loader's scheme: an image is called `hilum:` and its result's id. */
const SCHEME = 'hilum';
/** Images shown at the same time are one; the previews are at most 1,024 a side, so this holds several of them. */
const CACHE_BYTES = 16 * 1024 * 1024;
const VIEWPORT = 'film';
/** The event that an element fires once its film is on the screen. */
export const DRAWN = Enums.Events.IMAGE_RENDERED;

/** What the loader finds by an image's name; a film is here while a presenter shows it, no longer. */
const open = new Map<string, Types.IImage>();

/** How much Cornerstone holds: what the tests count when studies come and go. */
export interface Held {
  engines: number;
  bytes: number;
}

/** One film on one element. */
export interface Presenter {
  /** Where Cornerstone draws; one device pixel is one canvas pixel. */
  canvas: HTMLCanvasElement;
  /** Shows these greys, one byte a pixel, row by row. */
  develop: (fill: (greys: Uint8Array) => void) => void;
  place: (placement: Placement) => void;
  /** Takes the element's new size. */
  resize: () => void;
}

let started = false;

/** Without `init()`: that would ask for a graphics card, which is never used. */
function start(): void {
  if (started) return;
  started = true;
  setUseCPURendering(true);
  cache.setMaxCacheSize(CACHE_BYTES);
  metaData.addProvider(metadataOf, 1000);
  imageLoader.registerImageLoader(SCHEME, (name) => {
    const image = open.get(name);
    return { promise: image === undefined ? Promise.reject(new Error('This film was closed before it could be shown.')) : Promise.resolve(image) };
  });
}

export function held(): Held {
  return { engines: getRenderingEngines()?.length ?? 0, bytes: cache.getCacheSize() };
}

/**
 * Shows a film on `element`, whose width and height in CSS pixels are those of the screen's own pixels: Cornerstone's CPU
 * renderer gives a canvas as many pixels as its element has CSS pixels, so the page scales the element down instead.
 * Everything is let go of once `over` is aborted, also when that happens while the film is being opened.
 */
export async function present(element: HTMLDivElement, film: Film, over: AbortSignal): Promise<Presenter> {
  start();
  // Two presenters of one film may overlap for a moment: each has an image and an engine of its own.
  const name = `${SCHEME}:${film.result}:${crypto.randomUUID()}`;
  const image = imageOf(name, film);
  open.set(name, image);
  const engine = new RenderingEngine(name);
  const close = (): void => {
    open.delete(name);
    engine.destroy();
    if (cache.getImageLoadObject(name) !== undefined) cache.removeImageLoadObject(name, { force: true });
    element.replaceChildren();
  };
  over.addEventListener('abort', close, { once: true });
  try {
    engine.enableElement({ viewportId: VIEWPORT, element, type: Enums.ViewportType.STACK });
    const viewport = engine.getViewport<Types.IStackViewport>(VIEWPORT);
    await viewport.setStack([name]);
    over.throwIfAborted();
    return { canvas: viewport.canvas, ...acts(engine, viewport, image) };
  } catch (error) {
    over.removeEventListener('abort', close);
    close();
    throw error;
  }
}

function acts(engine: RenderingEngine, viewport: Types.IStackViewport, image: Types.IImage): Omit<Presenter, 'canvas'> {
  const size = { width: image.columns, height: image.rows };
  return {
    develop: (fill) => {
      fill(image.getPixelData() as Uint8Array);
      // The same image under the same name: it has to be told that its pixels changed.
      viewport.renderImageObject(image);
      viewport.render();
    },
    place: (placement) => {
      put(viewport, size, placement);
      const context = viewport.canvas.getContext('2d');
      // Reduced with all pixels having their say; magnified without the overshoot of a sharper filter.
      if (context !== null) context.imageSmoothingQuality = placement.scale < 1 ? 'high' : 'low';
      viewport.render();
    },
    resize: () => engine.resize(false, false),
  };
}

/** Zoom and turn as numbers, then the film moved until its corner lies where the placement says. */
function put(viewport: Types.IStackViewport, size: Size, placement: Placement): void {
  viewport.setViewPresentation({ zoom: placement.scale, rotation: placement.turn });
  const wanted = toView(placement, size, { x: 0, y: 0 });
  const [x, y] = viewport.worldToCanvas([0, 0, 0]);
  const [dx, dy] = [(x * devicePixelRatio - wanted.x) / placement.scale, (y * devicePixelRatio - wanted.y) / placement.scale];
  // From the screen's axes back to the image's.
  const back = { 0: [dx, dy], 90: [dy, -dx], 180: [-dx, -dy], 270: [-dy, dx] }[placement.turn];
  const [column = 0, row = 0] = viewport.getCamera().focalPoint ?? [];
  viewport.setCamera({ focalPoint: [column + (back[0] ?? 0), row + (back[1] ?? 0), 0] });
}

function imageOf(name: string, { rows, columns }: Film): Types.IImage {
  const greys = new Uint8Array(rows * columns);
  return {
    imageId: name,
    dataType: 'Uint8Array',
    ...{ rows, columns, height: rows, width: columns, rowPixelSpacing: 1, columnPixelSpacing: 1 },
    ...{ color: false, rgba: false, numberOfComponents: 1, invert: false, slope: 1, intercept: 0, minPixelValue: 0, maxPixelValue: 255 },
    // PS3.3 C.11.2.1.2.1 with these numbers maps each of 0 to 255 to itself.
    ...{ windowCenter: 128, windowWidth: 256, voiLUTFunction: Enums.VOILUTFunctionType.LINEAR },
    sizeInBytes: greys.byteLength,
    getPixelData: () => greys,
    getCanvas: () => {
      throw new Error('a film has no canvas of its own');
    },
    voxelManager: utilities.VoxelManager.createImageVoxelManager({ width: columns, height: rows, scalarData: greys, numberOfComponents: 1 }),
  };
}

/** The world's unit is the image's pixel: a preview's distance in millimetres is not known, so none is claimed. */
function metadataOf(type: string, name: unknown): unknown {
  const image = typeof name === 'string' ? open.get(name) : undefined;
  if (image === undefined) return undefined;
  const modules: Record<string, unknown> = {
    [Enums.MetadataModules.IMAGE_PIXEL]: { bitsAllocated: 8, bitsStored: 8, highBit: 7, samplesPerPixel: 1, pixelRepresentation: 0, photometricInterpretation: 'MONOCHROME2' },
    [Enums.MetadataModules.GENERAL_SERIES]: { modality: 'DX' },
    [Enums.MetadataModules.IMAGE_PLANE]: {
      ...{ rows: image.rows, columns: image.columns, rowPixelSpacing: 1, columnPixelSpacing: 1 },
      ...{ rowCosines: [1, 0, 0], columnCosines: [0, 1, 0], imageOrientationPatient: [1, 0, 0, 0, 1, 0], imagePositionPatient: [0, 0, 0] },
    },
  };
  return modules[type];
}
