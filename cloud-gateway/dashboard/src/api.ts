// The gateway's HTTP API, typed here and, for accounts, in account/ and accounts/requests.ts. Every page goes through these functions;
// nothing else calls fetch.
import type { Voi } from './grayscale';
import type { Accuracy, Drift, Fairness, Flow } from './quality/types';
import type { Region } from './region';

/** What an account may be allowed to do. */
export type Act = 'keep_session' | 'hear_changes' | 'read_results' | 'give_verdict' | 'adjudicate' | 'export_verdicts' | 'read_agreement' | 'read_audit' | 'read_devices' | 'read_refused' | 'enrol_devices' | 'read_quality' | 'manage_accounts';

/** Who is signed in; `csrf` goes with every request that changes something. */
export interface Session {
  username: string;
  display_name: string;
  role: string;
  may: Act[];
  /** The sites that the account sees; null where it is every site. */
  sites: string[] | null;
  /** `due`: the account's role needs one, and nothing else may be done before it is set up. */
  second_factor: 'set_up' | 'none' | 'due';
  /** Seconds without use after which the session ends. */
  idle_s: number;
  csrf: string;
}

/** Why something was not read, or a reservation: a stable code and a sentence. */
export interface Reason {
  code: string;
  words: string;
}

export type Outcome = 'read' | 'abstained' | 'unreadable';
export type Finding = 'positive' | 'negative';
export type SecondReading = 'requested' | 'awaiting' | 'concordant' | 'discordant' | 'adjudicated';
export type Reading = 'first' | 'second' | 'adjudication';
export type Opinion = 'agree' | 'disagree' | 'uncertain' | 'unreadable';

/** Milliseconds per stage on the device. */
export interface Stages {
  receive: number;
  decode: number;
  queue: number;
  infer: number;
  total: number;
}

/** One line of the work list. */
export interface ResultSummary {
  id: string;
  device: string;
  site: string;
  received_at: string;
  stored_at: string;
  study: string;
  patient: string;
  modality: string | null;
  view: string | null;
  age_band: string | null;
  sex: string | null;
  outcome: Outcome;
  finding: Finding | null;
  /** Calibrated probability of pneumonia, 0 to 1. */
  probability: number | null;
  threshold: number | null;
  reason: Reason | null;
  model: { id: string; version: string } | null;
  provider: string | null;
  has_image: boolean;
  verdict: Opinion | null;
  /** How far its second reading is; null where it is read once. */
  second_reading: SecondReading | null;
  stages_ms: Stages;
}

/** A threshold and what was measured at it. */
export interface OperatingPoint {
  name: string;
  threshold: number;
  sensitivity: number;
  specificity: number;
  measured_on: string;
}

/** The model behind one reading. */
export interface Model {
  id: string;
  version: string;
  title: string;
  digest: string;
  calibration: { slope: number; intercept: number };
  operating_point: OperatingPoint;
}

/** The VOI transform as the API tells it: numbers that its kind has no use for may be null or missing. */
export interface VoiHeader {
  kind: Voi['kind'];
  center?: number | null;
  width?: number | null;
  lut_first?: number | null;
  lut_bits?: number | null;
}

/** The preview image, without its samples. */
export interface ImageHeader {
  rows: number;
  columns: number;
  source_rows: number | null;
  source_columns: number | null;
  bits_stored: number | null;
  photometric: string | null;
  invert: boolean;
  offset: number;
  voi: VoiHeader;
}

/** What a reader says of a result: codes of `VerdictCodes`, words, and what she drew on the film. */
export interface Judgement {
  verdict: Opinion;
  finding: string | null;
  reason: string | null;
  note: string | null;
  region: Region | null;
}

/** A reader's verdict; the latest that was not withdrawn counts, none is ever removed. */
export interface Verdict extends Judgement {
  id: string;
  result: string;
  reviewer: string;
  reading: Reading;
  given_at: string;
  withdrawn_at: string | null;
  /** Whether whoever is signed in may take it back. */
  can_withdraw: boolean;
}

/** A verdict just given, and what the result is with it. */
export interface GivenVerdict extends Verdict {
  second_reading: SecondReading | null;
  verdict_etag: string;
}

/** A coefficient of agreement with its 95 % interval. */
export interface Coefficient {
  value: number;
  low: number;
  high: number;
  films: number;
}

/** How far readers agree on what two of them read. */
export interface Agreement {
  alpha: Coefficient | null;
  pairs: { first: string; second: string; kappa: Coefficient | null; films: number }[];
  films: number;
}

/** One thing that can be said, and the verdicts that it goes with. */
export interface Code {
  code: string;
  words: string;
  with: Opinion[];
}

/** What a verdict's finding and reason may be. */
export interface VerdictCodes {
  findings: Code[];
  reasons: Code[];
}

/** One result with all that is known of it. */
export interface ResultDetail extends Omit<ResultSummary, 'model'> {
  image: ImageHeader | null;
  saliency: { rows: number; columns: number } | null;
  model: Model | null;
  caveats: Reason[];
  /** The result in whose place it stands: it told of an image that the device had lost, and that was sent again. */
  replaces: string | null;
  /** The result that stands in its place, and in the work list. */
  replaced_by: string | null;
  /** Newest first; without those that a second reader must not see yet. */
  verdicts: Verdict[];
  /** Whether there are such. */
  blinded: boolean;
  /** Goes with the next verdict, which is refused if another came in between. */
  verdict_etag: string;
}

/** One entry of the audit log. */
export interface AuditItem {
  id: string | number;
  at: string;
  actor: string;
  action: string;
  subject: string | null;
  detail: unknown;
  hash: string;
}

/** One appliance. */
export interface Device {
  id: string;
  site: string;
  enrolled_at: string;
  last_seen_at: string | null;
  results: number;
  queue_depth: number | null;
  /** Age of the oldest of what waits, milliseconds. */
  oldest_ms: number | null;
  rejected: number | null;
  sync_agent_version: string | null;
  certificate_expires_at: string | null;
  revoked_at: string | null;
  /** What read its newest image. */
  newest: { received_at: string; appliance_version: string; model: { id: string; version: string }; provider: string } | null;
  /** The worst first; the gateway's own words. */
  troubles: { code: string; words: string }[];
  /** The newest window of its candidate model, where it has one. */
  shadow: ShadowWindow | null;
}

/** A candidate model beside the one in use, over the same images. */
export interface ShadowWindow {
  to: string;
  active: { version: string };
  candidate: { version: string };
  pairs: number;
  /** Share of pairs with the same finding, 0 to 1. */
  agreement: number;
  /** Mean of the candidate's probability less the other's. */
  mean_difference: number;
}

/** Something changed at the gateway; what it says now is to be asked. */
export interface Change {
  kind: 'result' | 'image' | 'verdict' | 'device';
  /** The result's or the device's id. */
  subject: string;
  site: string;
  /** Whether this account changed it. */
  own: boolean;
}

/** Something that the gateway did not store, or somebody whom it did not let in. */
export interface DeadLetter {
  id: string;
  device: string | null;
  site: string | null;
  message: string | null;
  reason: string;
  words: string;
  first_at: string;
  last_at: string;
  times: number;
  fate: 'stored_since' | 'sent_again' | 'given_up' | 'no_message';
}

/** One page of a list that goes on behind `next_cursor`. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** Most lines that one page of a list may have. */
export const MAX_LIMIT = 200;

export type Sort = 'priority' | 'probability' | 'age' | 'site' | 'model' | 'received';

/** What the work list asks for, and in which order. */
export interface ResultFilter {
  finding: Finding | 'none' | null;
  reviewed: boolean | null;
  verdict: Opinion | null;
  device: string | null;
  site: string | null;
  /** `id@version`. */
  model: string | null;
  /** `awaiting` is without those that this reader read first. */
  second_reading: SecondReading | null;
  /** Null for the usual one, by priority. */
  sort: Sort | null;
  reverse: boolean | null;
}

/** A filter that the account keeps; `query` as in the work list's address. */
export interface SavedFilter {
  id: string;
  name: string;
  query: string;
}

/** How long one site's latest results waited for their first verdict. */
export interface Turnaround {
  site: string;
  median_ms: number | null;
  reviews: number;
}

/** A page of the work list; counted no further than `total` where that is not exact. */
export interface ResultPage extends Page<ResultSummary> {
  total: number;
  total_is_exact: boolean;
}

/** The gateway refused, or could not be reached (`status` 0). `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** The problem's type, or nothing where the answer was no problem document. */
  readonly type: string;

  constructor(status: number, message: string, type = '') {
    super(message);
    this.status = status;
    this.type = type;
  }
}

const BASE = '/api/v1';
/** Longer than any answer should take; a request that hangs must not stop the list from refreshing. */
const TIMEOUT_MS = 20_000;

let csrf = '';
let onSignedOut: () => void = () => undefined;

/** Called once, by the session: told whenever the gateway no longer knows us. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  const patience = AbortSignal.timeout(TIMEOUT_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, patience]) : patience;
  try {
    response = await fetch(BASE + path, { ...init, credentials: 'same-origin', signal });
  } catch {
    throw new ApiError(0, 'The gateway can’t be reached.');
  }
  if (response.ok) return response;
  // A 401 to signing in means a wrong password; to anything else, that the session is over.
  if (response.status === 401 && !(path === '/session' && init.method === 'POST')) onSignedOut();
  throw await refusal(response);
}

/** With the words of an RFC 9457 problem document, or the status where there is none. */
async function refusal(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as { type?: string; title?: string; detail?: string };
    const words = problem.detail ?? problem.title;
    if (words) return new ApiError(response.status, words, problem.type);
  } catch {
    // Not a problem document: a proxy in between answered.
  }
  return new ApiError(response.status, `The gateway answered ${response.status} ${response.statusText}.`);
}

/** What a page asks by itself, with nobody at it, keeps no session alive. */
const attendance = (unattended: boolean): Record<string, string> => (unattended ? { 'x-hilum-unattended': '1' } : {});

export async function get<T>(path: string, query: Record<string, string | number | boolean | null> = {}, unattended = false): Promise<T> {
  const given = Object.entries(query).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]]));
  const search = given.length > 0 ? `?${new URLSearchParams(given).toString()}` : '';
  const response = await call(path + search, { headers: { accept: 'application/json', ...attendance(unattended) } });
  return (await response.json()) as T;
}

export async function send(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, more: Record<string, string> = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', 'x-hilum-csrf': csrf, ...more };
  if (body !== undefined) headers['content-type'] = 'application/json';
  return call(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function bytes(path: string, signal: AbortSignal | null = null): Promise<ArrayBuffer> {
  const response = await call(path, { headers: { accept: 'application/octet-stream' }, signal });
  try {
    return await response.arrayBuffer();
  } catch {
    throw new ApiError(0, 'The image broke off on its way from the gateway.');
  }
}

/** Little-endian on the wire, as is every platform that runs a browser. An odd last byte is dropped; callers count. */
function u16(buffer: ArrayBuffer): Uint16Array {
  return new Uint16Array(buffer, 0, buffer.byteLength >> 1);
}

const at = (id: string): string => `/results/${encodeURIComponent(id)}`;

/** Null where the password is right and a code of the second factor is wanted with it. */
export async function signIn(username: string, password: string, code: string | null): Promise<Session | null> {
  const response = await send('POST', '/session', code === null ? { username, password } : { username, password, code });
  if (response.status === 202) return null;
  const session = (await response.json()) as Session;
  csrf = session.csrf;
  return session;
}

export async function currentSession(unattended = false): Promise<Session> {
  const session = await get<Session>('/session', {}, unattended);
  csrf = session.csrf;
  return session;
}

export async function signOut(): Promise<void> {
  await send('DELETE', '/session');
  csrf = '';
}

export function listResults(filter: ResultFilter, limit: number, cursor: string | null, unattended = false): Promise<ResultPage> {
  return get('/results', { limit, cursor, ...filter }, unattended);
}

export function listFilters(): Promise<{ items: SavedFilter[] }> {
  return get('/filters');
}

export async function saveFilter(name: string, query: string): Promise<SavedFilter> {
  return (await (await send('POST', '/filters', { name, query })).json()) as SavedFilter;
}

export async function removeFilter(id: string): Promise<void> {
  await send('DELETE', `/filters/${encodeURIComponent(id)}`);
}

export function listTurnaround(unattended = false): Promise<{ items: Turnaround[] }> {
  return get('/turnaround', {}, unattended);
}

export function getResult(id: string, unattended = false): Promise<ResultDetail> {
  return get(at(id), {}, unattended);
}

export async function getSamples(id: string, signal: AbortSignal | null = null): Promise<Uint16Array> {
  return u16(await bytes(`${at(id)}/image`, signal));
}

export async function getVoiLut(id: string): Promise<Uint16Array> {
  return u16(await bytes(`${at(id)}/voi-lut`));
}

export async function getSaliency(id: string, signal: AbortSignal | null = null): Promise<Uint8Array> {
  return new Uint8Array(await bytes(`${at(id)}/saliency`, signal));
}

/** The change whose answer never came; whoever sends it once more gives the first one's key, so that it happens once. */
let unanswered: { change: string; key: string } | null = null;

function keyFor(change: string): string {
  if (unanswered?.change !== change) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    unanswered = { change, key: [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
  }
  return unanswered.key;
}

/** Refused (412) if another verdict came in, or was withdrawn, since `etag` was read. */
export async function giveVerdict(id: string, judgement: Judgement, etag: string): Promise<GivenVerdict> {
  const path = `${at(id)}/verdicts`;
  const key = keyFor(path + JSON.stringify(judgement));
  try {
    const response = await send('POST', path, judgement, { 'if-match': etag, 'idempotency-key': `"${key}"` });
    const given = (await response.json()) as GivenVerdict;
    unanswered = null;
    return given;
  } catch (error) {
    // A refusal is an answer. What broke off (0), failed there (500 and over) or is not answered yet is to be sent once more.
    const refused = error instanceof ApiError && error.status !== 0 && error.status < 500 && !error.type.endsWith('unanswered');
    if (refused) unanswered = null;
    throw error;
  }
}

/** Takes a verdict back; answers with what stands now. */
export async function withdrawVerdict(id: string, verdict: string): Promise<{ verdict: Opinion | null; verdict_etag: string }> {
  const response = await send('POST', `${at(id)}/verdicts/${encodeURIComponent(verdict)}/withdrawal`);
  return (await response.json()) as { verdict: Opinion | null; verdict_etag: string };
}

/** Asks that somebody else reads it, too, without sight of the verdict. */
export async function askSecondReading(id: string): Promise<{ second_reading: SecondReading }> {
  return (await (await send('POST', `${at(id)}/second-reading`)).json()) as { second_reading: SecondReading };
}

export function readAgreement(): Promise<Agreement> {
  return get('/agreement');
}

export function verdictCodes(): Promise<VerdictCodes> {
  return get('/verdict-codes');
}

export function listAudit(limit: number, cursor: string | null): Promise<Page<AuditItem>> {
  return get('/audit', { limit, cursor });
}

export function listDevices(unattended = false): Promise<{ items: Device[] }> {
  return get('/devices', {}, unattended);
}

/** The stream of changes: `change` with a Change, `resync`, `reach` and `end`; the gateway's description says what each holds. */
export function events(): EventSource {
  return new EventSource(`${BASE}/events`);
}

/** What the numbers about quality are narrowed to. */
export type QualityFilter = Record<'from' | 'to' | 'device' | 'site' | 'model', string | null>;

export function getAccuracy(of: QualityFilter): Promise<Accuracy> {
  return get('/quality/accuracy', of);
}

export function getDrift(of: QualityFilter): Promise<{ items: Drift[] }> {
  return get('/quality/drift', of);
}

export function getFairness(of: QualityFilter): Promise<Fairness> {
  return get('/quality/fairness', of);
}

export function getFlow(of: QualityFilter): Promise<Flow> {
  return get('/quality/flow', of);
}

/** The studies behind a number; `query` is the gateway's own, from its link. */
export function listBehind(query: URLSearchParams, cursor: string | null): Promise<Page<ResultSummary>> {
  return get('/quality/studies', { ...Object.fromEntries(query), cursor });
}

export function listDeadLetters(limit: number, cursor: string | null): Promise<Page<DeadLetter>> {
  return get('/dead-letters', { limit, cursor });
}
