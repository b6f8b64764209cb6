// Verdicts that were refused after their reader had gone on: told on every page until they are given again or let go.
import type { JSX } from 'preact';
import { route } from '../router';
import { studyPath } from '../routes';
import { letGo, outgoing } from '../verdicts';
import { Notice } from './notice';

export function Unsaved(): JSX.Element | null {
  const open = route.value.page === 'study' ? route.value.id : null;
  const lost = outgoing.value.filter(({ result, trouble }) => trouble !== null && result !== open);
  if (lost.length === 0) return null;
  return (
    <>
      {lost.map(({ result, trouble }) => (
        <Notice key={result} kind="error">
          <strong>A verdict of yours is not on record.</strong> {trouble} <a href={studyPath(result)}>Open its study</a>{' '}
          <button type="button" class="plain" onClick={() => letGo(result)}>
            Let it go
          </button>
        </Notice>
      ))}
    </>
  );
}
