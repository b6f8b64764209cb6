// A point in time: the reader's clock on the page, UTC in the tooltip.
import type { JSX } from 'preact';
import { localDateTime, localTime, utc } from '../time';

export function When({ iso, full = false }: { iso: string; full?: boolean }): JSX.Element {
  return (
    <time dateTime={iso} title={utc(iso)}>
      {full ? localDateTime(iso) : localTime(iso, new Date())}
    </time>
  );
}
