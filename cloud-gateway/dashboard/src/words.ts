// Findings, numbers and times in words. Every sentence that tells a reader what the model says is made here, so that
// it can be tested and read in one place. Pure.
import type { Coefficient, DeadLetter, Opinion, OperatingPoint, Outcome, SecondReading, Reason, ResultDetail, ResultSummary, VoiHeader } from './api';

/** What a line needs to say what was found. */
export type Read = Pick<ResultSummary, 'outcome' | 'finding' | 'reason'>;

/** The finding in two or three words. The model suspects; it is the reader who finds. */
export function findingTitle({ outcome, finding }: Pick<Read, 'outcome' | 'finding'>): string {
  if (outcome === 'abstained') return 'Not assessed';
  if (outcome === 'unreadable') return 'Unreadable';
  return finding === 'positive' ? 'Pneumonia suspected' : 'No pneumonia seen';
}

/** What it means for the reader that the model gives no finding. */
export function outcomeMeaning(outcome: Exclude<Outcome, 'read'>): string {
  return outcome === 'abstained'
    ? 'An image arrived, but it is not one that this model may be asked about, so it gave no probability. This says nothing about the patient: read the film yourself.'
    : 'No image could be made from what arrived, so nothing was assessed. This says nothing about the patient: look at the original in the PACS, or have it sent again.';
}

/** What each verdict says, for each thing that the model may have said. */
export function opinionWords({ outcome, finding }: Pick<Read, 'outcome' | 'finding'>): Record<Opinion, string> {
  const open = { uncertain: 'Uncertain', unreadable: 'Unreadable film' };
  if (outcome !== 'read') return { agree: 'Agree: rightly not assessed', disagree: 'Disagree: should be assessed', ...open };
  return finding === 'positive'
    ? { agree: 'Agree: pneumonia', disagree: 'Disagree: no pneumonia', ...open }
    : { agree: 'Agree: no pneumonia', disagree: 'Disagree: pneumonia', ...open };
}

/** How far a second reading is, on a line of the work list. */
export const SECOND_READING: Record<SecondReading, string> = {
  requested: '2nd reading asked for',
  awaiting: 'awaits 2nd reading',
  concordant: '2 readers agree',
  discordant: '2 readers differ',
  adjudicated: 'decided by a lead',
};

/** Fewer films say nothing: twice the square of the number of verdicts, of which there are four (Cicchetti, 1981). */
const FEWEST_FILMS = 32;

/** A coefficient with its interval, or that there is none. */
export function coefficientWords(of: Coefficient | null): string {
  if (of !== null && of.films < FEWEST_FILMS) return `too few films to say: ${of.films} of at least ${FEWEST_FILMS}`;
  return of === null ? 'not defined: nothing varied' : `${of.value.toFixed(2)} (${of.low.toFixed(2)} to ${of.high.toFixed(2)})`;
}

/** Whose turn it is, told to a reviewer who has the study open; null where there is nothing to say. */
export function turnWords(state: SecondReading | null, blinded: boolean, decides: boolean): string | null {
  if (blinded) return 'You are the second reader of this film. The first reader’s verdict is shown once yours is given, and yours can’t be undone then.';
  switch (state) {
    case 'requested':
      return 'A second reading was asked for. Whoever reads this film next will not see your verdict.';
    case 'awaiting':
      return 'This film awaits a second reader, who does not see the verdict.';
    case 'discordant':
      return decides ? 'Two readers differ. If you were neither of them, your verdict decides, and can’t be undone.' : 'Two readers differ. A lead reviewer who was neither of them decides.';
    case 'concordant':
      return 'Two readers said the same. Their word stands.';
    case 'adjudicated':
      return 'Two readers differed, and a lead reviewer has decided.';
    case null:
      return null;
  }
}

/** A verdict on a line of the work list. */
export const VERDICT_SHORT: Record<Opinion, string> = { agree: '✓ Agreed', disagree: '✗ Disagreed', uncertain: '? Uncertain', unreadable: '⌀ Unreadable' };

/** What there is to say of an image with more than one result, of which one counts; nothing of any other. */
export function succession({
  replaces,
  replaced_by,
}: Pick<ResultDetail, 'replaces' | 'replaced_by'>): { counts: boolean; words: string; link: string; other: string } | null {
  const why = 'The device had lost the image, and it was sent again.';
  if (replaced_by !== null) {
    return { counts: false, words: `This result no longer counts. ${why}`, link: 'Open the result that replaced it', other: replaced_by };
  }
  return replaces === null ? null : { counts: true, words: why, link: 'Open the result that this one replaced', other: replaces };
}

/** The reason as it was given, or that there is none. */
export function reasonWords(reason: Reason | null): string {
  return reason === null ? 'The device gave no reason.' : sentence(reason.words);
}

/** First letter large, a full stop at the end. */
export function sentence(words: string): string {
  const text = words.trim();
  if (text === '') return '';
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

/**
 * A probability in per cent, never rounded to 0 or 100, and never rounded across the threshold: 51.7 % against 52 %
 * must not read "52 %, negative".
 */
export function percent(p: number, threshold: number | null = null): string {
  if (p > 0 && p < 0.005 && (threshold ?? 1) >= 0.01) return '< 1 %';
  if (p < 1 && p >= 0.995 && (threshold ?? 0) <= 0.99) return '> 99 %';
  for (let digits = 0; digits <= 6; digits++) {
    const rounded = Number((p * 100).toFixed(digits));
    const sameSide = threshold === null || rounded >= hundredths(threshold) === p >= threshold;
    const claimsTooMuch = (rounded === 0 && p > 0) || (rounded === 100 && p < 1);
    if (sameSide && !claimsTooMuch) return `${rounded} %`;
  }
  return `${p * 100} %`;
}

/** Per cent with at most two digits, as thresholds are shown. */
function hundredths(share: number): number {
  return Number((share * 100).toFixed(2));
}

/** A threshold in per cent with as many digits as it has, at most two. */
export function percentThreshold(threshold: number): string {
  return `${hundredths(threshold)} %`;
}

/** A share as "96 of 100"; of 1,000 where that would claim all or none. */
export function ofHundred(share: number): string {
  const whole = Math.round(share * 100);
  const claimsTooMuch = (whole === 100 && share < 1) || (whole === 0 && share > 0);
  return claimsTooMuch ? `${Math.round(share * 1000)} of 1,000` : `${whole} of 100`;
}

/** The reading in sentences: the number, the rule that made a finding of it, and how good that rule was. */
export function readingSentences(probability: number, point: OperatingPoint): string[] {
  const positive = probability >= point.threshold;
  return [
    `The model gives ${percent(probability, point.threshold)} for pneumonia.`,
    `At the operating point “${point.name}” (≥ ${percentThreshold(point.threshold)}), this is called ${positive ? 'positive' : 'negative'}.`,
    `When it was measured, that point found ${ofHundred(point.sensitivity)} pneumonias and called ${ofHundred(point.specificity)} films without pneumonia negative (${inline(point.measured_on)}).`,
    positive
      ? `So ${ofHundred(1 - point.specificity)} films without pneumonia were called positive there: this may be one of them.`
      : `So ${ofHundred(1 - point.sensitivity)} pneumonias were called negative there: this may be one of them.`,
  ];
}

/** Words from a manifest, set into a sentence's brackets. */
function inline(words: string): string {
  return words.trim().replace(/[.;,]+$/, '');
}

/** What "calibrated" promises and what it does not. */
export function calibrationSentences(probability: number): string[] {
  const about = Math.min(Math.max(Math.round(probability * 100), 1), 99);
  return [
    `The percentage is calibrated: among many films given about ${about} %, about ${about} in 100 should turn out to be pneumonia.`,
    'That holds only for patients like those it was fitted on. Where pneumonia is rarer, or the films differ, the true share is another.',
  ];
}

/** "87.4 ms", "1.2 s". */
export function duration(ms: number): string {
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)} s`;
  return ms >= 100 ? `${Math.round(ms)} ms` : `${Number(ms.toPrecision(2))} ms`;
}

/** "PA", "5–9 years", "female": whatever of it is known. */
export function patientWords({ view, age_band, sex }: Pick<ResultSummary, 'view' | 'age_band' | 'sex'>): string {
  const known = [view, age_band === null ? null : ageWords(age_band), sex === null ? null : sexWord(sex)].filter((word) => word !== null && word !== '');
  return known.length > 0 ? known.join(' · ') : 'not stated';
}

/** The gateway's age bands ("under 1", "1-5", "80+") in words. */
export function ageWords(band: string): string {
  return band === 'under 1' ? 'under 1 year' : `${band.replace('-', '–')} years`;
}

/** The VOI transform that the model saw the image under, in DICOM's terms. */
export function transformWords({ kind, center, width }: VoiHeader): string {
  if (kind === 'lut') return 'VOI look-up table';
  if (kind === 'full_range' || typeof center !== 'number' || typeof width !== 'number') return 'full range of the image';
  const names = { linear: 'linear', linear_exact: 'exact linear', sigmoid: 'sigmoid' };
  return `${names[kind]} window, centre ${Number(center.toFixed(1))}, width ${Number(width.toFixed(1))}`;
}

/** Patient's Sex (0010,0040) in a word. */
export function sexWord(sex: string): string {
  const words: Record<string, string> = { F: 'female', M: 'male', O: 'other' };
  return words[sex.toUpperCase()] ?? sex;
}

/** Actions of the audit log that this dashboard knows, in words; others are shown as they are. */
const ACTIONS: Record<string, string> = {
  'session.opened': 'signed in',
  'session.closed': 'signed out',
  'session.refused': 'was refused at sign-in',
  'result.viewed': 'opened a result',
  'result.stored': 'delivered a result',
  'verdict.given': 'gave a verdict',
  'verdict.withdrawn': 'withdrew a verdict',
  'second_reading.asked': 'asked for a second reading',
  'verdicts.exported': 'exported verdicts',
  'filter.saved': 'kept a filter',
  'filter.removed': 'forgot a filter',
  'device.enrolled': 'enrolled a device',
  'device.revoked': 'revoked a device',
  'token.made': 'made an enrolment token',
  'certificate.renewed': 'renewed its certificate',
  'certificate.noted': 'wrote an earlier certificate down',
  'enrolment.refused': 'was refused a certificate',
  'message.rejected': 'sent a message that was rejected',
  'broker.refused': 'was refused by the broker',
  'carry.imported': 'brought results by hand',
  'carry.refused': 'brought results by hand that were not taken in',
  'user.added': 'added a user',
  'user.role_set': 'gave a user another role',
  'user.site_granted': 'let a user see a site',
  'user.site_revoked': 'let a user see a site no more',
  'user.password_set': 'set a password',
  'user.disabled': 'switched a user off',
  'user.enabled': 'switched a user on again',
  'user.renamed': 'gave a user another name to be shown',
  'api_key.made': 'made a key for a program',
  'api_key.revoked': 'revoked a program’s key',
  'second_factor.begun': 'began to set up a second factor',
  'second_factor.set_up': 'set up a second factor',
  'second_factor.removed': 'removed a second factor',
  'key.rotated': 'made a newer sealing key',
  'key.retired': 'destroyed an older sealing key',
};

export function actionWords(action: string): string {
  return ACTIONS[action] ?? action;
}

const FATES: Record<DeadLetter['fate'], string> = {
  stored_since: 'Sent again, and stored',
  sent_again: 'The device keeps it and sends it again',
  given_up: 'The device keeps it apart and sends it no more',
  no_message: 'Nothing to send again',
};

/** What becomes of a message that was not stored. */
export function fateWords(fate: DeadLetter['fate']): string {
  return FATES[fate];
}
