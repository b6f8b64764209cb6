// A plot in the page's colours, as wide as there is room. What it shows stands in a table beside it: the plot itself is a picture to
// a screen reader. The library that draws it comes with the first plot.
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';

export interface Line {
  label: string;
  values: (number | null)[];
  /** A line, points alone, or the steps of a histogram. */
  as: 'line' | 'points' | 'steps';
  colour: 'accent' | 'quiet' | 'positive';
  dashed?: boolean;
  /** 95 % limits, drawn as a bar through each point. */
  limits?: ({ low: number; high: number } | null)[];
}

export interface PlotProps {
  /** What it is, for who cannot see it. */
  label: string;
  x: number[];
  xLabel: string;
  yLabel: string;
  lines: Line[];
  /** From 0 to this; to what the values need, if not given. */
  yMost?: number;
  xRange?: [number, number];
  /** Words at the x values, where these count something. */
  names?: string[];
  time?: boolean;
}

export function Plot(props: PlotProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const at = place.current;
    let stop = (): void => undefined;
    let gone = false;
    void import('./canvas').then(({ show }) => {
      if (at !== null && !gone) stop = show(at, props);
    });
    return () => {
      gone = true;
      stop();
    };
  }, [props.x, props.lines]);
  return <div class="plot" ref={place} role="img" aria-label={props.label} />;
}
