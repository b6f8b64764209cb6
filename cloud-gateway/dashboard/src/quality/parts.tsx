// What every section is made of: a number that leads to its studies, a list of facts, a plot with its table.
import type { ComponentChildren, JSX } from 'preact';
import { mayOpen } from '../rights';
import { state } from '../session';
import { studiesPath } from './words';

/** A count that leads to the studies behind it, for who may see studies. */
export function Behind({ link, n }: { link: string; n: number }): JSX.Element {
  const films = state.value.is === 'in' && mayOpen(state.value.session, 'list');
  if (!films || n === 0) return <span>{n}</span>;
  return <a href={studiesPath(link)}>{n}</a>;
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }): JSX.Element {
  return (
    <dl class="facts-list">
      {rows.map(([name, words]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}

interface FigureProps {
  title: string;
  words: string;
  plot: JSX.Element;
  head: string[];
  rows: ComponentChildren[][];
}

/** A plot and, beside it, what it shows. */
export function Figure({ title, words, plot, head, rows }: FigureProps): JSX.Element {
  return (
    <div class="figure">
      <h3>{title}</h3>
      <p>{words}</p>
      <div class="columns">
        {plot}
        <div class="table-room" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table class="numbers">
            <thead>
              <tr>
                {head.map((word) => (
                  <th key={word} scope="col">
                    {word}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, place) => (
                <tr key={place}>
                  {row.map((cell, column) => (column === 0 ? <th key={column} scope="row">{cell}</th> : <td key={column}>{cell}</td>))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </div>
  );
}
