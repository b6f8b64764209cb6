// The overlay that lists the keys of the page shown now (`?`), and the switch that turns single keys off.
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { active, helpOpen, shortcutsOn } from '../keyboard';

const NAMES: Record<string, string> = { ArrowRight: '→', ArrowLeft: '←', Escape: 'Esc' };

export function HelpOverlay(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)} onClick={closeOnBackdrop}>
      <h2 id="help-title">Keys on this page</h2>
      <dl class="keys">
        {grouped().map(({ does, keys }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{NAMES[key] ?? key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>This help</dd>
        </div>
      </dl>
      <label class="check">
        <input type="checkbox" checked={shortcutsOn.value} onChange={(event) => (shortcutsOn.value = event.currentTarget.checked)} />
        Single-key shortcuts on (switch them off if you dictate or use other input software)
      </label>
      <button type="button" onClick={() => (helpOpen.value = false)}>
        Close
      </button>
    </dialog>
  );
}

/** Keys that do the same stand on one line. */
function grouped(): { does: string; keys: string[] }[] {
  const lines = new Map<string, string[]>();
  for (const { key, does } of active.value) lines.set(does, [...(lines.get(does) ?? []), key]);
  return [...lines].map(([does, keys]) => ({ does, keys }));
}

function closeOnBackdrop(event: MouseEvent): void {
  if (event.target === event.currentTarget) helpOpen.value = false;
}
