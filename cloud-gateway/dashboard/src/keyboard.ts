// Single-key shortcuts: one list per page, bound while that page is shown, told in the help overlay. They can be
// switched off (WCAG 2.1.4), and never fire while typing.
import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** One shortcut: `key` as `KeyboardEvent.key` names it. */
export interface Shortcut {
  key: string;
  does: string;
  run: () => void;
}

const OFF = 'hilum.shortcuts_off';

export const shortcutsOn = signal(localStorage.getItem(OFF) === null);
export const helpOpen = signal(false);
/** What the page shown now listens to; the help overlay prints it. */
export const active = signal<readonly Shortcut[]>([]);

effect(() => {
  if (shortcutsOn.value) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, '1');
});

/** True where a key belongs to the element that has the focus. */
function typing(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]') !== null;
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
  // The help stays in reach when shortcuts are off: it is where they are switched on again.
  if (event.key === '?') {
    helpOpen.value = !helpOpen.value;
    return;
  }
  if (helpOpen.value || !shortcutsOn.value) return;
  // Enter belongs to the button or link that has the focus.
  if (event.key === 'Enter' && event.target instanceof Element && event.target.closest('a, button, summary') !== null) return;
  const found = active.value.find(({ key }) => key === event.key);
  if (found === undefined) return;
  event.preventDefault();
  found.run();
}

export function startKeyboard(): void {
  document.addEventListener('keydown', onKey);
}

/** Binds a page's shortcuts while it is shown. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  useEffect(() => {
    active.value = shortcuts;
  });
  useEffect(() => () => void (active.value = []), []);
}
