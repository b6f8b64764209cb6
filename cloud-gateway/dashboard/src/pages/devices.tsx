// The devices: which are enrolled, when each was last heard of, what waits on them.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { listDevices, type Device, type ShadowWindow } from '../api';
import { useFresh } from '../live';
import { mayOpen } from '../rights';
import { state } from '../session';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { ago } from '../time';
import { listPath, NO_FILTER } from '../filter';

/** A device reports about once a minute; silence for this long is worth a look. */
const SILENT_MS = 5 * 60_000;

export function DevicesPage(): JSX.Element {
  const devices = useSignal<readonly Device[] | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async (unattended: boolean): Promise<void> => {
    try {
      [devices.value, trouble.value] = [(await listDevices(unattended)).items, null];
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'The devices could not be loaded.';
    }
  };
  useEffect(() => void load(false), []);
  useFresh(['device', 'result'], () => void load(true));
  return (
    <div class="page">
      <div class="list-head">
        <h1>Devices</h1>
        <p class="quiet">The appliances that read radiographs beside their scanners and send the results here.</p>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {devices.value?.length === 0 && <NoDevice />}
      {devices.value !== null && devices.value.length > 0 && <Table devices={devices.value} />}
    </div>
  );
}

function NoDevice(): JSX.Element {
  return (
    <div class="empty">
      <h2>No device is enrolled yet</h2>
      <p>
        Here, <code>cloud-gateway enrol token</code> makes a token; on the device, <code>hilum-sync-agent enrol</code> uses it.
      </p>
    </div>
  );
}

function Table({ devices }: { devices: readonly Device[] }): JSX.Element {
  const films = state.value.is === 'in' && mayOpen(state.value.session, 'list');
  return (
    <div class="scroller">
      <table class="results">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Site</th>
            <th scope="col">Last seen</th>
            <th scope="col">Waiting to be sent</th>
            <th scope="col">Results</th>
            <th scope="col">Candidate model</th>
            <th scope="col">Enrolled</th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <tr key={device.id}>
              <th scope="row">{device.id}</th>
              <td>{device.site}</td>
              <td>
                <LastSeen at={device.last_seen_at} />
              </td>
              <td>{device.queue_depth ?? <span class="quiet">not reported</span>}</td>
              <td>
                {films ? <a href={listPath({ ...NO_FILTER, device: device.id })}>{device.results}</a> : device.results}
              </td>
              <td>{device.shadow === null ? <span class="quiet">none</span> : <Candidate window={device.shadow} />}</td>
              <td>
                <When iso={device.enrolled_at} full />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Its readings reach nobody: this line is all that is shown of them. */
function Candidate({ window }: { window: ShadowWindow }): JSX.Element {
  const agreement = Math.floor(window.agreement * 100);
  return (
    <span>
      {window.candidate.version} agrees with {window.active.version} on {agreement} % of {window.pairs}{' '}
      <span class="quiet">
        (until <When iso={window.to} />)
      </span>
    </span>
  );
}

function LastSeen({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <span class="silent">Never</span>;
  const now = new Date();
  const silent = now.getTime() - new Date(at).getTime() > SILENT_MS;
  return (
    <span class={silent ? 'silent' : undefined}>
      {silent ? 'Silent: ' : ''}
      {ago(at, now)}{' '}
      <span class="quiet">
        (<When iso={at} />)
      </span>
    </span>
  );
}
