// An address that leads nowhere.
import type { JSX } from 'preact';

export function MissingPage(): JSX.Element {
  return (
    <div class="page">
      <h1>There is no such page</h1>
      <p>
        The address may be mistyped. <a href="/">Go to the work list.</a>
      </p>
    </div>
  );
}
