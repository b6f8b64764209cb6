// Which pages an account may open, and its role and sites in words. What is allowed is decided by the gateway, which names it
// in the session; nothing here lets anybody in. Pure.
import type { Act, Session } from './api';
import type { Route } from './routes';

/** What a page asks of the gateway. A page that is not there asks nothing. */
const NEEDS: Record<Route['page'], Act | null> = {
  list: 'read_results',
  study: 'read_results',
  audit: 'read_audit',
  agreement: 'read_agreement',
  devices: 'read_devices',
  refused: 'read_refused',
  account: null,
  quality: 'read_quality',
  behind: 'read_results',
  accounts: 'manage_accounts',
  missing: null,
};

/** Whether this account may open the page. */
export function mayOpen({ may }: Pick<Session, 'may'>, page: Route['page']): boolean {
  const act = NEEDS[page];
  return act === null || may.includes(act);
}

/** The page behind an address: who has to set up a second factor does that first; who sees no results begins at the devices. */
export function pageFor(session: Pick<Session, 'may' | 'second_factor'>, route: Route): Route {
  if (session.second_factor === 'due') return { page: 'account' };
  return route.page === 'list' && !mayOpen(session, 'list') && mayOpen(session, 'devices') ? { page: 'devices' } : route;
}

/** `lead_reviewer` as people say it. */
export function roleWords(role: string): string {
  return role.replaceAll('_', ' ');
}

/** What the account sees, for the name's tooltip. */
export function sitesWords(sites: Session['sites']): string {
  if (sites === null) return 'every site';
  return sites.length === 0 ? 'no site' : sites.join(', ');
}
