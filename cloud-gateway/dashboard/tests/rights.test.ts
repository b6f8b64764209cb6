// Who is led where: nobody is shown a page that the gateway would refuse.
import { describe, expect, test } from 'vitest';
import type { Session } from '../src/api';
import { mayOpen, pageFor, roleWords, sitesWords } from '../src/rights';

const reviewer: Pick<Session, 'may' | 'second_factor'> = { second_factor: 'none', may: ['keep_session', 'read_results', 'give_verdict', 'read_audit', 'read_devices'] };
const technician: Pick<Session, 'may' | 'second_factor'> = { second_factor: 'set_up', may: ['keep_session', 'read_devices'] };

describe('pages', () => {
  test('a reviewer opens all of them', () => {
    expect((['list', 'study', 'audit', 'devices', 'account', 'missing'] as const).every((page) => mayOpen(reviewer, page))).toBe(true);
    expect(pageFor(reviewer, { page: 'list' })).toEqual({ page: 'list' });
  });

  test('who looks after devices begins at them, and is not led to films', () => {
    expect(pageFor(technician, { page: 'list' })).toEqual({ page: 'devices' });
    expect(pageFor(technician, { page: 'study', id: 'x' })).toEqual({ page: 'study', id: 'x' });
    expect((['list', 'study', 'audit'] as const).some((page) => mayOpen(technician, page))).toBe(false);
    expect(pageFor({ ...technician, may: [] }, { page: 'list' })).toEqual({ page: 'list' });
  });
});

test('who has to set up a second factor is led there from everywhere', () => {
  for (const page of ['list', 'audit', 'devices', 'missing'] as const) {
    expect(pageFor({ may: ['keep_session'], second_factor: 'due' }, { page })).toEqual({ page: 'account' });
  }
});

describe('words', () => {
  test.each([
    [null, 'every site'],
    [[], 'no site'],
    [['st-john', 'st-mary'], 'st-john, st-mary'],
  ])('%j is %s', (sites, words) => {
    expect(sitesWords(sites)).toBe(words);
  });

  test('a role is said without its underscores', () => {
    expect(roleWords('lead_reviewer')).toBe('lead reviewer');
  });
});
