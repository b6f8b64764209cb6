// A QR code, dark on light whatever the page's colours: cameras expect that. Four units of light around it (ISO/IEC 18004).
import type { JSX } from 'preact';
import type { Qr } from './requests';

const QUIET_ZONE = 4;

export function QrCode({ qr, label }: { qr: Qr; label: string }): JSX.Element {
  const side = qr.size + 2 * QUIET_ZONE;
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`${-QUIET_ZONE} ${-QUIET_ZONE} ${side} ${side}`} shape-rendering="crispEdges">
      <rect x={-QUIET_ZONE} y={-QUIET_ZONE} width={side} height={side} fill="#fff" />
      <path d={qr.path} fill="#000" />
    </svg>
  );
}
