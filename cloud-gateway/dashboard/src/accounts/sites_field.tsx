// Which sites: every one, or these. Nothing named is nothing seen, and every site is said, never left out.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { text } from '../account/form';

export function SitesField({ id, sites }: { id: string; sites: string[] | null }): JSX.Element {
  const every = useSignal(sites === null);
  return (
    <>
      <label class="check">
        <input type="checkbox" name="every" checked={every.value} onChange={(event) => (every.value = event.currentTarget.checked)} /> Every site, those of tomorrow too
      </label>
      {!every.value && (
        <>
          <label for={`${id}-sites`}>Sites, separated by commas</label>
          <input id={`${id}-sites`} name="sites" defaultValue={sites?.join(', ') ?? ''} />
        </>
      )}
    </>
  );
}

/** What the field says; null for every site. */
export function sitesOf(fields: FormData): string[] | null {
  return fields.has('every') ? null : sitesIn(text(fields, 'sites'));
}

/** The names in a list with commas. Pure. */
export function sitesIn(list: string): string[] {
  return [...new Set(list.split(',').map((name) => name.trim()))].filter((name) => name !== '');
}
