// The devices, site by site: how each is, what is wrong with it, and a way to let another in.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { listDevices, type Device, type ShadowWindow } from '../api';
import { Enrolment } from '../fleet/enrolment';
import { bySite } from '../fleet/sites';
import { useFresh } from '../live';
import { mayOpen } from '../rights';
import { state } from '../session';
import { Notice } from '../shell/notice';
import { When } from '../shell/when';
import { ago } from '../time';
import { duration } from '../words';
import { listPath, NO_FILTER } from '../filter';

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
  const sites = devices.value === null ? [] : bySite(devices.value);
  return (
    <div class="page fleet">
      <div class="list-head">
        <h1>Devices</h1>
        <p class="quiet">The appliances that read radiographs beside their scanners and send the results here.</p>
      </div>
      {trouble.value !== null && <Notice kind="error">{trouble.value}</Notice>}
      {state.value.is === 'in' && state.value.session.may.includes('enrol_devices') && <Enrolment sites={sites.map(({ name }) => name)} />}
      {devices.value?.length === 0 && <NoDevice />}
      {sites.map((site) => (
        <section key={site.name} aria-label={site.name}>
          <h2>
            {site.name}{' '}
            <span class={site.troubled > 0 ? 'silent' : 'quiet'}>{site.troubled > 0 ? `${site.troubled} of ${site.devices.length} want a look` : `${site.devices.length} well`}</span>
          </h2>
          <Table devices={site.devices} />
        </section>
      ))}
    </div>
  );
}

function NoDevice(): JSX.Element {
  return (
    <div class="empty">
      <h2>No device is enrolled yet</h2>
      <p>
        <em>Let a device in</em> above, or <code>cloud-gateway enrol token</code>, makes a token; on the device, <code>hilum-sync-agent enrol</code> uses it.
      </p>
    </div>
  );
}

function Table({ devices }: { devices: readonly Device[] }): JSX.Element {
  return (
    <div class="scroller">
      <table class="results">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Last seen</th>
            <th scope="col">Waiting to be sent</th>
            <th scope="col">Model and what computes it</th>
            <th scope="col">Versions</th>
            <th scope="col">Certificate until</th>
            <th scope="col">Results</th>
            <th scope="col">Candidate model</th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <Line key={device.id} device={device} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const NONE = <span class="quiet">not reported</span>;

function Line({ device }: { device: Device }): JSX.Element {
  const { newest, troubles } = device;
  const films = state.value.is === 'in' && mayOpen(state.value.session, 'list');
  return (
    <tr>
      <th scope="row">
        {device.id}
        {troubles.map(({ code, words }) => (
          <p key={code} class="trouble">
            {words}
          </p>
        ))}
      </th>
      <td>
        <LastSeen at={device.last_seen_at} />
      </td>
      <td>
        {device.queue_depth ?? NONE}
        {device.oldest_ms !== null && device.oldest_ms > 0 && <span class="quiet"> (oldest {duration(device.oldest_ms)})</span>}
      </td>
      <td>{newest === null ? NONE : `${newest.model.id} ${newest.model.version}, ${newest.provider}`}</td>
      <td>
        {newest === null ? NONE : `appliance ${newest.appliance_version}`}
        {device.sync_agent_version !== null && `, sync-agent ${device.sync_agent_version}`}
      </td>
      <td>{device.certificate_expires_at === null ? NONE : <When iso={device.certificate_expires_at} full />}</td>
      <td>{films ? <a href={listPath({ ...NO_FILTER, device: device.id })}>{device.results}</a> : device.results}</td>
      <td>{device.shadow === null ? <span class="quiet">none</span> : <Candidate window={device.shadow} />}</td>
    </tr>
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
  return (
    <span>
      {ago(at, new Date())}{' '}
      <span class="quiet">
        (<When iso={at} />)
      </span>
    </span>
  );
}
