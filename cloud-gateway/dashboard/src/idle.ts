// Signs out who has left the screen. The gateway ends a session that is not used, but a page that asks by itself uses it for
// ever; only the page knows whether anybody is there. Several tabs of one browser count as one.

/** Where the tabs tell each other of the last use. */
const KEY = 'hilum.used_at';

/** How often the page looks, and tells the other tabs at most: a small part of half an hour. */
const LOOK_MS = 10_000;

const USES = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** Whether nobody was there for as long. Pure. */
export function isIdle(usedAt: number, now: number, idleS: number): boolean {
  return now - usedAt >= idleS * 1000;
}

/** Watches from now on; `idleS` says how long may pass, or null while nobody is signed in. */
export function watchIdle(idleS: () => number | null, leave: () => void): void {
  let usedAt = Date.now();
  let toldAt = 0;
  const used = (): void => {
    usedAt = Date.now();
    if (usedAt - toldAt < LOOK_MS) return;
    toldAt = usedAt;
    localStorage.setItem(KEY, String(usedAt));
  };
  for (const use of USES) addEventListener(use, used, { capture: true, passive: true });
  setInterval(() => {
    const patience = idleS();
    if (patience === null) used();
    else if (isIdle(Math.max(usedAt, Number(localStorage.getItem(KEY) ?? 0)), Date.now(), patience)) leave();
  }, LOOK_MS);
}
