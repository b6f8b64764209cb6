// The frame around every page and the choice of the page. The only file that knows all of them.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { AuditPage } from './pages/audit';
import { DevicesPage } from './pages/devices';
import { MissingPage } from './pages/missing';
import { SignInPage } from './pages/sign_in';
import { StudyPage } from './pages/study';
import { WorkListPage } from './pages/work_list';
import { route } from './router';
import type { Route } from './routes';
import { state } from './session';
import { Header } from './shell/header';
import { HelpOverlay } from './shell/help';
import { SafetyBanner } from './shell/safety_banner';

const TITLES: Record<Route['page'], string> = {
  list: 'Work list',
  study: 'Study',
  audit: 'Audit log',
  devices: 'Devices',
  missing: 'Not found',
};

export function App(): JSX.Element {
  useSignalEffect(() => {
    const signedIn = state.value.is === 'in';
    document.title = `${signedIn ? TITLES[route.value.page] : 'Sign in'} · Hilum`;
    // A film is read in the dark: bright surroundings hide faint shades.
    document.documentElement.dataset.scheme = signedIn && route.value.page === 'study' ? 'dark' : 'system';
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
  const to = route.value;
  switch (to.page) {
    case 'list':
      return <WorkListPage />;
    case 'study':
      return <StudyPage key={to.id} id={to.id} />;
    case 'audit':
      return <AuditPage />;
    case 'devices':
      return <DevicesPage />;
    case 'missing':
      return <MissingPage />;
  }
}
