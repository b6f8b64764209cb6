// Draws a plot on a canvas by uPlot, again where the colours change, and as wide as there is room. The only file that knows uPlot.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Line, PlotProps } from './plot';

const HEIGHT = 260;

/** Draws until the function that it gives back is called. */
export function show(at: HTMLElement, props: PlotProps): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let plot = draw(at, props);
  const again = (): void => {
    plot.destroy();
    plot = draw(at, props);
  };
  const room = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: HEIGHT }));
  room.observe(at);
  dark.addEventListener('change', again);
  return () => {
    room.disconnect();
    dark.removeEventListener('change', again);
    plot.destroy();
  };
}

function draw(at: HTMLElement, props: PlotProps): uPlot {
  // light-dark() means something to the style sheet only: a canvas is given what it came to.
  const probe = document.createElement('span');
  at.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const [text, grid] = [colour('quiet'), colour('line')];
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const strokes = props.lines.map((line) => colour(line.colour));
  const { names } = props;
  const options: uPlot.Options = {
    width: at.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: props.time === true, ...(props.xRange === undefined ? {} : { range: props.xRange }) },
      y: { range: (_, __, most) => [0, props.yMost ?? (most > 0 ? most * 1.05 : 1)] },
    },
    axes: [
      { ...axis, label: props.xLabel, ...(names === undefined ? {} : { splits: () => props.x, values: (_, at_) => at_.map((place) => names[place] ?? '') }) },
      { ...axis, label: props.yLabel, size: 60 },
    ],
    series: [{}, ...props.lines.map((line, place) => series(line, strokes[place] ?? text))],
    hooks: { draw: [(plot) => props.lines.forEach((line, place) => limits(plot, line, strokes[place] ?? text))] },
  };
  probe.remove();
  return new uPlot(options, [props.x, ...props.lines.map((line) => line.values)], at);
}

function series(line: Line, stroke: string): uPlot.Series {
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return {
    label: line.label,
    stroke,
    width: 2,
    points: { show: line.as === 'points', size: 8, fill: stroke },
    ...(line.dashed === true ? { dash: [6, 5] } : {}),
    ...(line.as === 'points' ? { paths: () => null } : {}),
    ...(line.as === 'steps' && steps !== undefined ? { paths: steps } : {}),
  };
}

/** The limits' bars, which uPlot has no series for. */
function limits(plot: uPlot, line: Line, stroke: string): void {
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  (line.limits ?? []).forEach((limit, place) => {
    const x = plot.data[0][place];
    if (limit === null || x === undefined) return;
    const [at, low, high] = [plot.valToPos(x, 'x', true), plot.valToPos(limit.low, 'y', true), plot.valToPos(limit.high, 'y', true)];
    const half = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(at, low);
    ctx.lineTo(at, high);
    for (const end of [low, high]) {
      ctx.moveTo(at - half, end);
      ctx.lineTo(at + half, end);
    }
    ctx.stroke();
  });
  ctx.restore();
}
