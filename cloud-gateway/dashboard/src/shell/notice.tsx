// A message that must be seen: something failed, or something needs care.
import type { ComponentChildren, JSX } from 'preact';

interface Props {
  kind: 'error' | 'warning' | 'info';
  children: ComponentChildren;
}

export function Notice({ kind, children }: Props): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <span class="mark" aria-hidden="true">
        {kind === 'info' ? 'i' : '!'}
      </span>
      <div>{children}</div>
    </div>
  );
}
