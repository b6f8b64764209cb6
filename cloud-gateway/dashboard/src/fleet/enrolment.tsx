// Lets a device in: asks which, and shows the token once, as text and as a QR code.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Form, text } from '../account/form';
import { QrCode } from '../account/qr_code';
import { When } from '../shell/when';
import { invite, type Invitation } from './requests';

export function Enrolment({ sites }: { sites: string[] }): JSX.Element {
  const made = useSignal<Invitation | null>(null);
  const ask = async (fields: FormData): Promise<void> => {
    made.value = await invite(text(fields, 'device'), text(fields, 'site'), Number(text(fields, 'hours')), fields.has('reinstate'));
  };
  return (
    <details class="enrolment">
      <summary>Let a device in</summary>
      {made.value === null ? <Questions sites={sites} ask={ask} /> : <Made invitation={made.value} another={() => (made.value = null)} />}
    </details>
  );
}

function Questions({ sites, ask }: { sites: string[]; ask: (fields: FormData) => Promise<void> }): JSX.Element {
  return (
    <Form button="Make a token" onSend={ask}>
      <label for="enrol-device">The device’s name: small letters, digits and hyphens</label>
      <input id="enrol-device" name="device" pattern="[a-z0-9][a-z0-9\-]*" maxLength={64} autoComplete="off" required />
      <label for="enrol-site">The site that it will stand in</label>
      <input id="enrol-site" name="site" list="enrol-sites" maxLength={64} autoComplete="off" required />
      <datalist id="enrol-sites">
        {sites.map((site) => (
          <option key={site} value={site} />
        ))}
      </datalist>
      <label for="enrol-hours">The token is good for</label>
      <select id="enrol-hours" name="hours">
        <option value="24">24 hours</option>
        <option value="168">7 days</option>
        <option value="744">31 days</option>
      </select>
      <label>
        <input type="checkbox" name="reinstate" /> It was revoked, and is to be let in again
      </label>
    </Form>
  );
}

function Made({ invitation, another }: { invitation: Invitation; another: () => void }): JSX.Element {
  const { device, site, token, qr, command, expires_at } = invitation;
  return (
    <div class="invitation" role="status">
      <p>
        This token lets <strong>{device}</strong> in at <strong>{site}</strong>, once, until <When iso={expires_at} full />. It is shown this once and kept nowhere.
      </p>
      <p>
        <code class="token">{token}</code>
      </p>
      <QrCode qr={qr} label="The token as a QR code" />
      <p>On the device, run this; it asks for the token:</p>
      <p>
        <code>{command}</code>
      </p>
      <button type="button" onClick={another}>
        Done
      </button>
    </div>
  );
}
