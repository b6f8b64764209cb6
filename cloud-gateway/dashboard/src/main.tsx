// Starts the dashboard: styles, router, keyboard, session, first drawing.
import './style/base.css';
import './style/shell.css';
import './style/list.css';
import './style/study.css';
import './style/viewer.css';
import { render } from 'preact';
import { App } from './app';
import { startKeyboard } from './keyboard';
import { startRouter } from './router';
import { restore } from './session';

const root = document.getElementById('app');
if (root !== null) {
  startRouter();
  startKeyboard();
  render(<App />, root);
  void restore();
}
