// Verdicts on their way to the gateway. They stand on the page at once; until the gateway has confirmed one it is kept here,
// and one that was refused stays here, told on every page, until it is given again or let go. No drawing.
import { signal } from '@preact/signals';
import * as api from './api';

/** A verdict that is not on record yet. */
export interface Outgoing {
  result: string;
  judgement: api.Judgement;
  /** Why it was not taken; null while nobody knows. */
  trouble: string | null;
}

/** One for each study at most. */
export const outgoing = signal<readonly Outgoing[]>([]);
/** What can be said beside the verdict; null until it is known. */
export const codes = signal<api.VerdictCodes | null>(null);

/** The verdict on this study that is not on record. */
export function outgoingOf(result: string): Outgoing | null {
  return outgoing.value.find((one) => one.result === result) ?? null;
}

/** Forgets it, after it was recorded or given up. */
export function letGo(result: string): void {
  outgoing.value = outgoing.peek().filter((one) => one.result !== result);
}

/** Sends it. Rejects where it is not on record; what was said stays with `outgoingOf` then. */
export async function give(result: string, judgement: api.Judgement, etag: string): Promise<api.GivenVerdict> {
  put({ result, judgement, trouble: null });
  try {
    const given = await api.giveVerdict(result, judgement, etag);
    letGo(result);
    return given;
  } catch (error) {
    const overtaken = error instanceof api.ApiError && error.status === 412;
    const words = error instanceof Error ? error.message : 'The gateway did not confirm it.';
    put({ result, judgement, trouble: overtaken ? 'Somebody gave a verdict, or took one back, while you had this study open. Look at it below, then give yours again.' : words });
    throw error;
  }
}

function put(one: Outgoing): void {
  outgoing.value = [...outgoing.peek().filter(({ result }) => result !== one.result), one];
}

/** Asks once what can be said; without an answer the lists stay empty, and a verdict can be given all the same. */
export async function learnCodes(): Promise<void> {
  if (codes.peek() !== null) return;
  try {
    codes.value = await api.verdictCodes();
  } catch {
    // Asked again with the next study.
  }
}

/** A code in words; itself where it is not known. */
export function codeWords(list: readonly api.Code[] | undefined, code: string): string {
  return list?.find((one) => one.code === code)?.words ?? code;
}

/** The study after a verdict was recorded. */
export function after(result: api.ResultDetail, given: api.GivenVerdict): api.ResultDetail {
  const { verdict_etag, second_reading, ...verdict } = given;
  // Where two readers differ, neither counts yet.
  const counts = second_reading === 'discordant' ? null : verdict.verdict;
  return { ...result, verdict: counts, verdicts: [verdict, ...result.verdicts], second_reading, verdict_etag };
}

/** The study after a verdict was taken back. */
export function afterWithdrawal(result: api.ResultDetail, id: string, at: string, now: { verdict: api.Opinion | null; verdict_etag: string }): api.ResultDetail {
  const verdicts = result.verdicts.map((one) => (one.id === id ? { ...one, withdrawn_at: at, can_withdraw: false } : one));
  return { ...result, ...now, verdicts };
}
