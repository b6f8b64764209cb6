// The frame around every page and the choice of the page. The only file that knows all of them.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { AccountPage } from './pages/account';
import { AccountsPage } from './pages/accounts';
import { AgreementPage } from './pages/agreement';
import { AuditPage } from './pages/audit';
import type { Session } from './api';
import { BehindPage } from './pages/behind';
import { DevicesPage } from './pages/devices';
import { MissingPage } from './pages/missing';
import { QualityPage } from './pages/quality';
import { RefusedPage } from './pages/refused';
import { SignInPage } from './pages/sign_in';
import { StudyPage } from './pages/study';
import { WorkListPage } from './pages/work_list';
import { mayOpen, pageFor, roleWords } from './rights';
import { route } from './router';
import type { Route } from './routes';
import { state } from './session';
import { Header } from './shell/header';
import { HelpOverlay } from './shell/help';
import { Notice } from './shell/notice';
import { SafetyBanner } from './shell/safety_banner';
import { Unsaved } from './shell/unsaved';

const TITLES: Record<Route['page'], string> = {
  list: 'Work list',
  study: 'Study',
  audit: 'Audit log',
  agreement: 'Readers’ agreement',
  devices: 'Devices',
  refused: 'Refused messages',
  account: 'Your account',
  quality: 'Quality',
  behind: 'Studies behind a number',
  accounts: 'Accounts',
  missing: 'Not found',
};

export function App(): JSX.Element {
  useSignalEffect(() => {
    const to = state.value.is === 'in' ? pageFor(state.value.session, route.value) : null;
    document.title = `${to === null ? 'Sign in' : TITLES[to.page]} · Hilum`;
    // A film is read in the dark: bright surroundings hide faint shades.
    document.documentElement.dataset.scheme = to?.page === 'study' ? 'dark' : 'system';
  });
  const { page } = route.value;
  const first = useRef(true);
  useEffect(() => {
    // A new page begins at its top for the keyboard and for screen readers too.
    if (!first.current) document.getElementById('main')?.focus();
    first.current = false;
  }, [page]);
  return (
    <div class="app">
      <SafetyBanner />
      {state.value.is === 'in' && <Header session={state.value.session} />}
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <HelpOverlay />
    </div>
  );
}

function Page(): JSX.Element {
  if (state.value.is === 'unknown') return <p class="quiet pad">Looking for your session…</p>;
  if (state.value.is === 'out') return <SignInPage why={state.value.why} />;
  const { session } = state.value;
  const to = pageFor(session, route.value);
  if (!mayOpen(session, to.page)) return <NotForThisRole title={TITLES[to.page]} role={session.role} />;
  return (
    <>
      {session.sites?.length === 0 && <NoSite />}
      <Unsaved />
      <Open to={to} />
    </>
  );
}

function Open({ to }: { to: Route }): JSX.Element {
  switch (to.page) {
    case 'list':
      return <WorkListPage />;
    case 'study':
      return <StudyPage key={to.id} id={to.id} />;
    case 'agreement':
      return <AgreementPage />;
    case 'audit':
      return <AuditPage />;
    case 'devices':
      return <DevicesPage />;
    case 'account':
      return <AccountPage />;
    case 'quality':
      return <QualityPage />;
    case 'behind':
      return <BehindPage />;
    case 'accounts':
      return <AccountsPage />;
    case 'refused':
      return <RefusedPage />;
    case 'missing':
      return <MissingPage />;
  }
}

function NotForThisRole({ title, role }: { title: string; role: Session['role'] }): JSX.Element {
  return (
    <div class="page">
      <h1>{title}</h1>
      <Notice kind="info">You are signed in as {roleWords(role)}, a role that does not see this page. An administrator can give you another role.</Notice>
    </div>
  );
}

function NoSite(): JSX.Element {
  return (
    <Notice kind="info">
      <strong>Your account sees no site yet,</strong> so every list here is empty. An administrator can let it see one.
    </Notice>
  );
}
