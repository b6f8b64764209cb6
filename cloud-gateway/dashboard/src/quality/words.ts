// Numbers about quality in words: never without how many cases they stand on and how far they may be off. Pure.
import { duration } from '../words';
import type { DriftState, Interval, Quantile, Share } from './types';

/** "71.4 %". */
export function percentage(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** "60.0 to 80.7 %". */
export function percentages({ low, high }: Interval): string {
  return `${(low * 100).toFixed(1)} to ${percentage(high)}`;
}

/** "71.4 % (95 %: 60.0 to 80.7 %), 50 of 70". */
export function shareWords({ hits, n, value, interval }: Share): string {
  if (value === null || interval === null) return 'no cases';
  return `${percentage(value)} (95 %: ${percentages(interval)}), ${hits} of ${n}`;
}

/** "0.912 (95 %: 0.871 to 0.942)". */
export function numberWords(value: number, interval: Interval | null): string {
  return interval === null ? value.toFixed(3) : `${value.toFixed(3)} (95 %: ${interval.low.toFixed(3)} to ${interval.high.toFixed(3)})`;
}

/** "4.2 min (95 %: 3.9 min to 5.0 min), 150 studies". */
export function timeWords({ value, interval, n }: Quantile): string {
  const of = (seconds: number): string => duration(seconds * 1000);
  const limits = interval === null ? '' : ` (95 %: ${of(interval.low)} to ${of(interval.high)})`;
  return `${of(value)}${limits}, ${n} studies`;
}

/** Very small p-values are told by their bound. */
export function pWords(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`;
}

/** What has come of a comparison. */
export const STATES: Record<DriftState, string> = {
  collecting_reference: 'Reference not complete',
  too_few: 'Too few readings',
  steady: 'Steady',
  changed: 'Changed',
  changed_much: 'Changed much',
};

/** Facts of an image, as a reader knows them. */
export const FACTS: Record<string, string> = {
  outcome: 'Outcome',
  modality: 'Modality',
  view: 'View position',
  photometric: 'Photometric interpretation',
  bits_stored: 'Bits stored',
  sex: 'Sex',
  age_band: 'Age',
};

/** Ways to tell patients apart. */
export const DIMENSIONS: Record<string, string> = {
  sex: 'Sex',
  age_band: 'Age',
  sex_and_age_band: 'Sex and age',
  site: 'Site',
  device: 'Device',
};

/** The page's address of the list that the gateway links to. */
export function studiesPath(link: string): string {
  return `/quality/studies${link.slice(Math.max(link.indexOf('?'), 0))}`;
}

const SHOWN: Record<string, string> = {
  from: 'from',
  to: 'until',
  device: 'device',
  model: 'model',
  site: 'site',
  outcome: 'outcome',
  reason: 'reason',
  sex: 'sex',
  age_band: 'age',
  view: 'view',
  verdict: 'verdict',
};

/** What a list of studies is narrowed to, as short words. */
export function narrowedWords(query: URLSearchParams): string[] {
  const words = [...query].flatMap(([key, value]) => {
    const name = SHOWN[key];
    if (key === 'positive') return [value === 'true' ? 'called positive' : 'called negative'];
    if (key === 'judged') return [value === 'true' ? 'with a verdict of agree or disagree' : 'without a verdict'];
    if (key === 'read') return [value === 'true' ? 'read' : 'not read'];
    return name === undefined ? [] : [`${name} ${value}`];
  });
  const [low, high] = [query.get('permille_from'), query.get('permille_to')];
  if (low !== null && high !== null) words.push(`probability ${Number(low) / 10} to ${Number(high) / 10} %`);
  return words;
}

/** Periods that the page offers, in days. */
export const PERIODS = [7, 28, 90, 365];

/** What the page is narrowed to. */
export interface Wanted {
  days: number;
  device: string | null;
  site: string | null;
  model: string | null;
}

/** Reads an address; what it doesn't know is not narrowed. */
export function wantedOf(search: URLSearchParams): Wanted {
  const days = Number(search.get('days'));
  return { days: PERIODS.includes(days) ? days : 28, device: search.get('device'), site: search.get('site'), model: search.get('model') };
}

/** Address of the page. */
export function qualityPath({ days, ...names }: Wanted): string {
  const given = Object.entries(names).filter((pair): pair is [string, string] => pair[1] !== null);
  return `/quality?${new URLSearchParams([['days', String(days)], ...given]).toString()}`;
}
