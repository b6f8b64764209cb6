// The work list without a line: says why that may be and what to do.
import type { JSX } from 'preact';
import { leavesOut, listPath, NO_FILTER } from '../../filter';
import { filter } from '../../work_list';

export function EmptyList(): JSX.Element {
  const filtered = leavesOut(filter.value);
  return (
    <div class="empty">
      {filtered ? (
        <>
          <h2>No result matches this filter</h2>
          <p>
            <a href={listPath(NO_FILTER)}>Show all results</a>
          </p>
        </>
      ) : (
        <>
          <h2>No results yet</h2>
          <p>A radiograph appears here by itself, seconds after a device has read it. If you expected one by now, check in this order:</p>
          <ol>
            <li>
              Is the device listed under <a href="/devices">Devices</a>, and was it seen within the last minutes? If not, it isn’t enrolled, or its sync agent can’t
              reach the broker.
            </li>
            <li>Does the scanner send to the device’s AE title, address and port? An echo (C-ECHO) from the scanner’s console tells.</li>
            <li>Is the scanner on the device’s list of allowed scanners? The device’s log says so when it refuses one.</li>
          </ol>
        </>
      )}
    </div>
  );
}
