// A small form with one button: busy while it asks, and what went wrong in words.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { Notice } from '../shell/notice';

interface Props {
  children: ComponentChildren;
  button: string;
  /** Says what is to be done with the fields; what it throws is shown. */
  onSend: (fields: FormData) => Promise<void>;
}

export function Form({ children, button, onSend }: Props): JSX.Element {
  const busy = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const submit = async (event: SubmitEvent & { currentTarget: HTMLFormElement }): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    [busy.value, trouble.value] = [true, null];
    try {
      await onSend(new FormData(form));
      form.reset();
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'Something went wrong on this page. Reload it and try again.';
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="plain-form" onSubmit={(event) => void submit(event)}>
      {children}
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      <button type="submit" class="primary" disabled={busy.value}>
        {button}
      </button>
    </form>
  );
}

/** A field's text. */
export function text(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === 'string' ? value : '';
}
