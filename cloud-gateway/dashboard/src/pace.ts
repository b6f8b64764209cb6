// Runs something soon after it is asked for, however often it is asked for, but never more often than so.
export interface Later {
  call: () => void;
  cancel: () => void;
}

/** The first call runs at once; those that come within `gap` milliseconds of a run are one run at its end. */
export function later(run: () => void, gap: number): Later {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let owed = false;
  const due = (): void => {
    timer = undefined;
    if (owed) call();
  };
  const call = (): void => {
    owed = timer !== undefined;
    if (owed) return;
    timer = setTimeout(due, gap);
    run();
  };
  const cancel = (): void => {
    clearTimeout(timer);
    [timer, owed] = [undefined, false];
  };
  return { call, cancel };
}
