// One's second factor: none, being set up, just set up with its recovery codes, or there.
import { useSignal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { renew } from '../session';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { Form, text } from './form';
import { QrCode } from './qr_code';
import { beginSecondFactor, confirmSecondFactor, getSecondFactor, removeSecondFactor, type Begun, type SecondFactor } from './requests';

type Step = { is: 'asking' } | { is: 'none'; required: boolean } | { is: 'begun'; begun: Begun } | { is: 'done'; codes: string[] } | { is: 'set_up'; state: SecondFactor } | { is: 'trouble'; words: string };

export function SecondFactorPart(): JSX.Element {
  const step = useSignal<Step>({ is: 'asking' });
  const look = async (): Promise<void> => {
    try {
      const state = await getSecondFactor();
      step.value = state.since === null ? { is: 'none', required: state.required } : { is: 'set_up', state };
    } catch (error) {
      step.value = { is: 'trouble', words: error instanceof Error ? error.message : 'Your second factor could not be asked for.' };
    }
  };
  useEffect(() => void look(), []);
  return (
    <section aria-labelledby="factor-title">
      <h2 id="factor-title">Second factor</h2>
      <Now step={step} look={look} />
    </section>
  );
}

function Now({ step, look }: { step: Signal<Step>; look: () => Promise<void> }): JSX.Element {
  const now = step.value;
  switch (now.is) {
    case 'asking':
      return <p class="quiet">Looking…</p>;
    case 'trouble':
      return <Notice kind="error">{now.words}</Notice>;
    case 'none':
      return <Begin step={step} required={now.required} />;
    case 'begun':
      return <Confirm step={step} begun={now.begun} />;
    case 'done':
      return <Codes codes={now.codes} look={look} />;
    case 'set_up':
      return <Remove state={now.state} look={look} />;
  }
}

function Begin({ step, required }: { step: Signal<Step>; required: boolean }): JSX.Element {
  return (
    <>
      {required && <Notice kind="info">Your role needs a second factor. Set one up here; then you can go on.</Notice>}
      <p>With a second factor, signing in takes your password and a code that an authenticator app on your phone shows. Whoever learns your password alone can’t sign in.</p>
      <Form button="Set up" onSend={async (fields) => void (step.value = { is: 'begun', begun: await beginSecondFactor(text(fields, 'password')) })}>
        <label for="factor-password">Your password</label>
        <input id="factor-password" name="password" type="password" autoComplete="current-password" required />
      </Form>
    </>
  );
}

function Confirm({ step, begun }: { step: Signal<Step>; begun: Begun }): JSX.Element {
  const groups = begun.secret.match(/.{1,4}/g) ?? [];
  return (
    <>
      <p>Scan this with an authenticator app, or type the key into it. Then type the code that the app shows.</p>
      <QrCode qr={begun.qr} label="QR code for an authenticator app; the key below says the same" />
      <p>
        Key: <code data-testid="factor-secret">{groups.join(' ')}</code>
      </p>
      <Form button="Confirm" onSend={async (fields) => void (step.value = { is: 'done', codes: await confirmSecondFactor(text(fields, 'code')) })}>
        <label for="factor-code">Code from the app</label>
        <input id="factor-code" name="code" inputMode="numeric" autoComplete="one-time-code" pattern="[0-9]{6}" title="Six digits" required />
      </Form>
    </>
  );
}

function Codes({ codes, look }: { codes: string[]; look: () => Promise<void> }): JSX.Element {
  const kept = async (): Promise<void> => {
    await look();
    await renew();
  };
  return (
    <>
      <Notice kind="warning">Keep these recovery codes where only you can find them. Each signs you in once if you lose your phone. They are not shown again.</Notice>
      <ul class="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <button type="button" class="primary" onClick={() => void kept()}>
        I have kept them
      </button>
    </>
  );
}

function Remove({ state, look }: { state: SecondFactor; look: () => Promise<void> }): JSX.Element {
  const remove = async (fields: FormData): Promise<void> => {
    await removeSecondFactor(text(fields, 'code'));
    await look();
    await renew();
  };
  return (
    <>
      <p>
        Set up since <When iso={state.since ?? ''} full />. Recovery codes left: {state.recovery_codes_left}.
      </p>
      <p class="quiet">For another phone or new recovery codes, remove it and set it up again.</p>
      <Form button="Remove" onSend={remove}>
        <label for="factor-code">Code from the app, or a recovery code</label>
        <input id="factor-code" name="code" autoComplete="one-time-code" autoCapitalize="none" spellcheck={false} required />
      </Form>
    </>
  );
}
