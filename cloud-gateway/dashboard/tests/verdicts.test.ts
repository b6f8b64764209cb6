// A verdict stands on the page at once, and is kept until the gateway has it on record.
import { afterEach, expect, test, vi } from 'vitest';
import type { Judgement, ResultDetail, Verdict } from '../src/api';
import { after, afterWithdrawal, codeWords, give, letGo, outgoing, outgoingOf } from '../src/verdicts';

const judgement: Judgement = { verdict: 'disagree', finding: null, reason: 'missed', note: 'left', region: null };
const recorded = { ...judgement, id: 'v1', result: 'r1', reviewer: 'ada', given_at: '2026-01-02T03:04:05.678Z', withdrawn_at: null, can_withdraw: true, reading: 'first' as const, second_reading: null, verdict_etag: '"1"' };

function answering(status: number, body: unknown): ReturnType<typeof vi.fn> {
  const fetch = vi.fn(() => Promise.resolve(new Response(JSON.stringify(body), { status })));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

afterEach(() => {
  vi.unstubAllGlobals();
  outgoing.value = [];
});

test('it is out while the gateway has not answered, and gone once it has', async () => {
  const fetch = answering(201, recorded);
  const done = give('r1', judgement, '"0"');
  expect(outgoingOf('r1')).toEqual({ result: 'r1', judgement, trouble: null });
  expect(await done).toEqual(recorded);
  expect(outgoing.value).toEqual([]);
  const [path, init] = fetch.mock.calls[0] as [string, RequestInit];
  expect([path, (init.headers as Record<string, string>)['if-match'], JSON.parse(init.body as string)]).toEqual(['/api/v1/results/r1/verdicts', '"0"', judgement]);
});

test('one that was refused stays, with the words, until it is given again or let go', async () => {
  answering(503, { detail: 'The database does not answer.' });
  await expect(give('r1', judgement, '"0"')).rejects.toThrow();
  expect(outgoingOf('r1')).toEqual({ result: 'r1', judgement, trouble: 'The database does not answer.' });
  answering(412, {});
  await expect(give('r1', judgement, '"0"')).rejects.toThrow();
  expect([outgoing.value.length, outgoingOf('r1')?.trouble]).toEqual([1, expect.stringContaining('Somebody gave a verdict')]);
  letGo('r1');
  expect(outgoing.value).toEqual([]);
});

test('the study goes on with the tag that came with the verdict', () => {
  const verdict: Verdict = { ...judgement, id: 'v1', result: 'r1', reviewer: 'ada', given_at: recorded.given_at, withdrawn_at: null, can_withdraw: true, reading: 'first' };
  const before = { verdict: null, verdicts: [] as Verdict[], verdict_etag: '"0"' } as unknown as ResultDetail;
  const given = after(before, recorded);
  expect(given).toEqual({ verdict: 'disagree', verdicts: [verdict], second_reading: null, verdict_etag: '"1"' });
  const undone = afterWithdrawal(given, 'v1', 'now', { verdict: null, verdict_etag: '"2"' });
  expect(undone).toEqual({ verdict: null, verdicts: [{ ...verdict, withdrawn_at: 'now', can_withdraw: false }], second_reading: null, verdict_etag: '"2"' });
});

test('where two readers differ neither verdict counts on the page', () => {
  const before = { verdict: 'agree', verdicts: [] as Verdict[], second_reading: 'awaiting' } as unknown as ResultDetail;
  expect(after(before, { ...recorded, second_reading: 'discordant' }).verdict).toBeNull();
  expect(after(before, { ...recorded, second_reading: 'adjudicated' }).verdict).toBe('disagree');
});

test('a code is said in words, an unknown one as it is', () => {
  expect(codeWords([{ code: 'missed', words: 'A finding was missed', with: ['disagree'] }], 'missed')).toBe('A finding was missed');
  expect(codeWords(undefined, 'missed')).toBe('missed');
});
