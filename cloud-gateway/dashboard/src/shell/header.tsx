// Name, navigation, who is signed in.
import type { JSX } from 'preact';
import type { Session } from '../api';
import { helpOpen } from '../keyboard';
import { mayOpen, pageFor, roleWords, sitesWords } from '../rights';
import { route } from '../router';
import type { Route } from '../routes';
import { signOut } from '../session';
import { listPath } from '../filter';
import { filter } from '../work_list';

export function Header({ session }: { session: Session }): JSX.Element {
  const here = pageFor(session, route.value).page;
  return (
    <header class="header">
      <a class="skip" href="#main" target="_self" onClick={toMain}>
        Skip to content
      </a>
      <a class="brand" href="/">
        <img src="/favicon.svg" alt="" width="24" height="24" /> Hilum
      </a>
      <nav aria-label="Pages">
        {mayOpen(session, 'list') && <Tab to={listPath(filter.value)} page="list" here={here} words="Work list" also="study" />}
        {mayOpen(session, 'agreement') && <Tab to="/agreement" page="agreement" here={here} words="Readers" />}
        {mayOpen(session, 'audit') && <Tab to="/audit" page="audit" here={here} words="Audit log" />}
        {mayOpen(session, 'devices') && <Tab to="/devices" page="devices" here={here} words="Devices" />}
        {mayOpen(session, 'refused') && <Tab to="/refused" page="refused" here={here} words="Refused" />}
        {mayOpen(session, 'quality') && <Tab to="/quality" page="quality" here={here} words="Quality" also="behind" />}
        {mayOpen(session, 'accounts') && <Tab to="/accounts" page="accounts" here={here} words="Accounts" />}
      </nav>
      <div class="who">
        <a class="user" href="/account" aria-current={here === 'account' ? 'page' : undefined} title={`Signed in as ${session.username}; sees ${sitesWords(session.sites)}`}>
          {session.display_name || session.username} <span class="quiet">({roleWords(session.role)})</span>
        </a>
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

function Tab({ to, page, here, words, also }: { to: string; page: Route['page']; here: Route['page']; words: string; also?: Route['page'] }): JSX.Element {
  return (
    <a href={to} aria-current={here === page ? 'page' : undefined} data-within={here === also ? '' : undefined}>
      {words}
    </a>
  );
}

/** Moves the focus, which following the fragment alone would not do in every browser. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
