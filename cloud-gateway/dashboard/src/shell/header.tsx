// Name, navigation, who is signed in.
import type { JSX } from 'preact';
import type { Session } from '../api';
import { helpOpen } from '../keyboard';
import { route } from '../router';
import type { Route } from '../routes';
import { signOut } from '../session';
import { listPath } from '../filter';
import { filter } from '../work_list';

export function Header({ session }: { session: Session }): JSX.Element {
  return (
    <header class="header">
      <a class="skip" href="#main" target="_self" onClick={toMain}>
        Skip to content
      </a>
      <a class="brand" href="/">
        <img src="/favicon.svg" alt="" width="24" height="24" /> Hilum
      </a>
      <nav aria-label="Pages">
        <Tab to={listPath(filter.value)} page="list" words="Work list" also="study" />
        <Tab to="/audit" page="audit" words="Audit log" />
        <Tab to="/devices" page="devices" words="Devices" />
      </nav>
      <div class="who">
        <span class="user" title={`Signed in as ${session.username}`}>
          {session.display_name || session.username} <span class="quiet">({session.role})</span>
        </span>
        <button type="button" class="plain" onClick={() => (helpOpen.value = true)} aria-keyshortcuts="?">
          Keys <kbd>?</kbd>
        </button>
        <button type="button" class="plain" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </header>
  );
}

function Tab({ to, page, words, also }: { to: string; page: Route['page']; words: string; also?: Route['page'] }): JSX.Element {
  const here = route.value.page === page;
  return (
    <a href={to} aria-current={here ? 'page' : undefined} data-within={route.value.page === also ? '' : undefined}>
      {words}
    </a>
  );
}

/** Moves the focus, which following the fragment alone would not do in every browser. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
