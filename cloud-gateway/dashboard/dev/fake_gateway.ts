// Development only: a Vite plugin that answers the gateway's API from memory (`HILUM_FAKE=1 npm run dev`; user "demo",
// password "demo"). It is no part of the build, and its results are invented. `HILUM_FAKE_EMPTY=1` starts without any.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connect, Plugin } from 'vite';
import type { AuditItem, Change, DeadLetter, Opinion, ResultDetail, ResultSummary, Verdict } from '../src/api';
import { dice, phantom, type Phantom } from './phantom.ts';

/** The policy that the real gateway sends; previews run under it too, so that a breach shows during development. */
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

interface Stored {
  detail: ResultDetail;
  picture: Phantom | null;
}

const POINT = { name: 'default', threshold: 0.52, sensitivity: 0.962, specificity: 0.918, measured_on: '624 test images of the official split' };
const roll = dice(7);
const results = new Map<string, Stored>();
const audit: AuditItem[] = [];
let signedIn = false;
/** Open streams of changes. */
const streams = new Set<ServerResponse>();

function invent(n: number, receivedAt: Date): void {
  const id = `0193a0c2-5b00-7000-8000-${n.toString(16).padStart(12, '0')}`;
  const outcome = n % 11 === 5 ? 'abstained' : n % 17 === 7 ? 'unreadable' : 'read';
  const probability = outcome === 'read' ? (roll() < 0.4 ? 0.52 + roll() * 0.47 : roll() ** 2 * 0.51) : null;
  const positive = probability !== null && probability >= POINT.threshold;
  const picture = outcome === 'unreadable' ? null : phantom(n, positive ? probability : 0);
  const summary: ResultSummary = {
    id, device: `radiology-${1 + (n % 3)}`, site: n % 3 === 2 ? 'Riverside Clinic' : 'Demo Hospital',
    received_at: receivedAt.toISOString(), stored_at: new Date(receivedAt.getTime() + 900).toISOString(),
    study: `s-${(n * 7919).toString(16).padStart(12, '0')}`, patient: `p-${(n * 104_729).toString(16).padStart(12, '0')}`,
    modality: n % 2 === 0 ? 'DX' : 'CR', view: n % 4 === 3 ? null : n % 2 === 0 ? 'PA' : 'AP', age_band: n % 9 === 8 ? '6-17' : '1-5', sex: ['F', 'M', null][n % 3] ?? null,
    outcome, finding: outcome === 'read' ? (positive ? 'positive' : 'negative') : null, probability, threshold: outcome === 'read' ? POINT.threshold : null,
    reason: outcome === 'abstained' ? { code: 'not_a_chest', words: 'the body part is HIP, this model reads chests' } : outcome === 'unreadable' ? { code: 'truncated_pixels', words: 'the pixel data end before the last row' } : null,
    model: outcome === 'read' ? { id: 'pneumonia-cxr', version: '1.0.0' } : null, provider: outcome === 'read' ? 'CPU' : null, has_image: picture !== null, verdict: null, second_reading: null,
    stages_ms: { receive: 12 + roll() * 20, decode: 40 + roll() * 30, queue: 1 + roll() * 5, infer: outcome === 'read' ? 60 + roll() * 30 : 0, total: 160 + roll() * 50 },
  };
  const detail: ResultDetail = {
    ...summary,
    image: picture === null ? null : {
      rows: picture.rows, columns: picture.columns, source_rows: picture.rows * 2, source_columns: picture.columns * 2, bits_stored: 12, photometric: 'MONOCHROME2', invert: false, offset: -1024,
      voi: n % 5 === 0 ? { kind: 'full_range', center: null, width: null } : { kind: 'linear', center: 700, width: 3600 },
    },
    saliency: outcome === 'read' ? { rows: 14, columns: 14 } : null,
    model: outcome === 'read' ? { id: 'pneumonia-cxr', version: '1.0.0', title: 'Pneumonia on chest radiographs of young children', digest: '9f2c'.repeat(16), calibration: { slope: 1.31, intercept: -0.42 }, operating_point: POINT } : null,
    caveats: n % 9 === 8 && outcome === 'read' ? [{ code: 'age_outside_intended_use', words: 'the patient is older than the 0 to 6 years this model was made for' }] : [],
    replaces: null, replaced_by: null, verdicts: [], blinded: false, verdict_etag: '"0"',
  };
  results.set(id, { detail, picture });
  tell({ kind: 'result', subject: id, site: detail.site, own: false });
}

function tell(change: Change): void {
  for (const stream of streams) stream.write(`event: change\ndata: ${JSON.stringify(change)}\n\n`);
}

function listen(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: reach\ndata: {"whole":true}\n\n');
  streams.add(response);
  response.on('close', () => streams.delete(response));
}

/** The fake's list lines carry the detail's fields too; the dashboard doesn't look at them there. */
const summaryOf = (detail: ResultDetail): ResultSummary => detail;

function record(actor: string, action: string, subject: string | null, detail: string): void {
  const hash = (audit.length * 2_654_435_761).toString(16).padStart(64, 'a');
  audit.unshift({ id: audit.length + 1, at: new Date().toISOString(), actor, action, subject, detail, hash });
}

function sorted(search: URLSearchParams): ResultSummary[] {
  const [finding, reviewed, device] = [search.get('finding'), search.get('reviewed'), search.get('device')];
  const urgent = (r: ResultSummary): number => (r.finding === 'positive' && r.verdict === null ? (r.probability ?? 0) : -1);
  return [...results.values()].map(({ detail }) => summaryOf(detail))
    .filter((r) => finding === null || (finding === 'none' ? r.finding === null : r.finding === finding))
    .filter((r) => reviewed === null || (r.verdict !== null) === (reviewed === 'true'))
    .filter((r) => device === null || r.device === device)
    .sort((a, b) => urgent(b) - urgent(a) || b.received_at.localeCompare(a.received_at));
}

function page<T>(items: T[], search: URLSearchParams): { items: T[]; next_cursor: string | null; total: number; total_is_exact: boolean } {
  const [from, limit] = [Number(search.get('cursor') ?? 0), Number(search.get('limit') ?? 50)];
  return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null, total: items.length, total_is_exact: true };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json' }).end(JSON.stringify(body));
}

const problem = (response: ServerResponse, status: number, title: string, detail: string): void => json(response, status, { type: 'about:blank', title, status, detail });

async function body(request: IncomingMessage): Promise<Record<string, string>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString() || '{}') as Record<string, string>;
}

async function answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const path = url.pathname.replace('/api/v1', '');
  if (path === '/session') await session(request, response);
  else if (!signedIn) problem(response, 401, 'Not signed in', 'Sign in first.');
  else if (path === '/results') json(response, 200, page(sorted(url.searchParams), url.searchParams));
  else if (path === '/audit') json(response, 200, page(audit, url.searchParams));
  else if (path === '/verdict-codes') json(response, 200, { findings: [{ code: 'pneumonia', words: 'Pneumonia', with: ['agree', 'disagree', 'uncertain'] }], reasons: [{ code: 'missed', words: 'A finding was missed', with: ['disagree'] }] });
  else if (path === '/events') listen(response);
  else if (path === '/dead-letters') json(response, 200, page(deadLetters(), url.searchParams));
  else if (path === '/filters') json(response, 200, { items: [] });
  else if (path === '/turnaround') json(response, 200, { items: [{ site: 'Demo Hospital', median_ms: 1_500_000, reviews: 12 }] });
  else if (path === '/devices') json(response, 200, { items: devices() });
  else await study(request, response, path.split('/'));
}

async function session(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'POST') {
    const given = await body(request);
    signedIn = given.username === 'demo' && given.password === 'demo';
    record(given.username ?? '', signedIn ? 'session.opened' : 'session.refused', null, '');
  } else if (request.method === 'DELETE') {
    signedIn = false;
    response.writeHead(204).end();
    return;
  }
  if (signedIn) response.setHeader('set-cookie', 'hilum_session=fake; HttpOnly; SameSite=Strict; Path=/');
  if (signedIn) json(response, 200, { username: 'demo', display_name: 'Demo Reviewer', role: 'reviewer', may: ['keep_session', 'hear_changes', 'read_results', 'give_verdict', 'read_audit', 'read_devices', 'read_refused'], sites: null, second_factor: 'none', idle_s: 1800, csrf: 'fake' });
  else problem(response, 401, 'Not signed in', 'User name or password is wrong.');
}

function deadLetters(): DeadLetter[] {
  const at = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
  const letter = { site: 'Demo Hospital', first_at: at(900), message: '01890a5d-ac96-774b-bcce-b302099a8057' };
  return [
    { ...letter, id: '1', device: 'radiology-1', reason: 'not_stored', words: 'the database would not have it; this gateway’s log says why, and the device goes on sending it', last_at: at(1), times: 212, fate: 'sent_again' },
    { ...letter, id: '2', device: 'radiology-2', reason: 'old_key', words: 'it was sealed to a key that this gateway has retired; the device is told the newest one and sends again by itself', last_at: at(30), times: 3, fate: 'stored_since' },
    { ...letter, id: '3', device: 'radiology-2', reason: 'implausible', words: 'it says what cannot be: a probability of 1.4', last_at: at(95), times: 1, fate: 'given_up' },
    { ...letter, id: '4', device: null, site: null, message: null, reason: 'no_certificate', words: 'somebody without a certificate asked for a connection; address 192.0.2.7', last_at: at(240), times: 14, fate: 'no_message' },
  ];
}

function devices(): unknown[] {
  return [1, 2, 3].map((n) => {
    const own = [...results.values()].filter(({ detail }) => detail.device === `radiology-${n}`);
    return { id: `radiology-${n}`, site: n === 3 ? 'Riverside Clinic' : 'Demo Hospital', enrolled_at: '2026-11-02T08:00:00.000Z', last_seen_at: n === 3 ? new Date(Date.now() - 3_600_000).toISOString() : new Date().toISOString(), results: own.length, queue_depth: n === 3 ? 14 : n === 2 ? null : 0, oldest_ms: n === 3 ? 3_500_000 : 0, rejected: 0, sync_agent_version: '0.1.0', certificate_expires_at: '2027-01-31T08:00:00.000Z', revoked_at: null, newest: null, troubles: n === 3 ? [{ code: 'silent', words: 'Nothing was heard of it for 60 min: is it switched on, and does it reach the broker?' }] : [], shadow: n === 1 ? { to: new Date().toISOString(), active: { version: '1.0.0' }, candidate: { version: '1.1.0' }, pairs: 120, agreement: 0.975, mean_difference: -0.01 } : null };
  });
}

async function study(request: IncomingMessage, response: ServerResponse, [, , id, part]: string[]): Promise<void> {
  const found = results.get(id ?? '');
  if (found === undefined) {
    problem(response, 404, 'No such result', 'There is no result with this id.');
  } else if (part === undefined) {
    record('demo', 'result.viewed', found.detail.id, '');
    json(response, 200, found.detail);
  } else if (part === 'verdicts') {
    const verdict = judge(found.detail, await body(request));
    found.detail.verdict_etag = `"${found.detail.verdicts.length}"`;
    json(response, 201, { ...verdict, second_reading: null, verdict_etag: found.detail.verdict_etag });
  } else {
    const bytes = part === 'image' ? found.picture?.samples : found.picture?.saliency.values;
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes === undefined ? Buffer.alloc(0) : Buffer.from(bytes.buffer));
  }
}

function judge(detail: ResultDetail, given: Record<string, string>): Verdict {
  const opinion = given.verdict as Opinion;
  const verdict: Verdict = { id: `v${detail.verdicts.length + 1}`, result: detail.id, reviewer: 'demo', verdict: opinion, finding: null, reason: null, note: given.note ?? null, region: null, given_at: new Date().toISOString(), withdrawn_at: null, can_withdraw: false, reading: 'first' };
  detail.verdicts.unshift(verdict);
  detail.verdict = opinion;
  tell({ kind: 'verdict', subject: detail.id, site: detail.site, own: true });
  record('demo', 'verdict.given', detail.id, opinion);
  return verdict;
}

export function fakeGateway(): Plugin {
  const middleware: Connect.NextHandleFunction = (request, response, next) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    if (!url.pathname.startsWith('/api/')) return next();
    answer(request, response, url).catch((error: unknown) => problem(response, 500, 'Broken fake', String(error)));
  };
  return {
    name: 'hilum-fake-gateway',
    configureServer(server) {
      start();
      server.middlewares.use(middleware);
    },
    configurePreviewServer(server) {
      start();
      server.middlewares.use((_request, response, next) => {
        response.setHeader('content-security-policy', POLICY);
        next();
      });
      server.middlewares.use(middleware);
    },
  };
}

function start(): void {
  if (process.env.HILUM_FAKE_EMPTY === '1') return;
  const begin = Date.now();
  for (let n = 0; n < 60; n++) invent(n, new Date(begin - (60 - n) * 420_000));
  let n = 60;
  setInterval(() => n < 80 && invent(n++, new Date()), 20_000).unref();
}
