// Starts the dashboard: styles, router, keyboard, session, first drawing.
import './style/base.css';
import './style/shell.css';
import './style/list.css';
import './style/fleet.css';
import './style/quality.css';
import './style/study.css';
import './style/viewer.css';
import './style/account.css';
import { render } from 'preact';
import { App } from './app';
import { watchIdle } from './idle';
import { startKeyboard } from './keyboard';
import { startRouter } from './router';
import { restore, signOutIdle, state } from './session';

const root = document.getElementById('app');
if (root !== null) {
  startRouter();
  startKeyboard();
  render(<App />, root);
  watchIdle(() => (state.value.is === 'in' ? state.value.session.idle_s : null), () => void signOutIdle());
  void restore();
}
