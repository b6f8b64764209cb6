// Where one id stands in an order of ids. Pure.
export interface Place {
  previous: string | null;
  next: string | null;
  /** 1-based; null if the study isn't in the order. */
  number: number | null;
  count: number;
  /** True if the order goes on behind its last id. */
  more: boolean;
}

/** The place of `id` in `order`. */
export function place(order: readonly string[], id: string, more = false): Place {
  const at = order.indexOf(id);
  return {
    previous: at > 0 ? (order[at - 1] ?? null) : null,
    next: at >= 0 ? (order[at + 1] ?? null) : null,
    number: at >= 0 ? at + 1 : null,
    count: order.length,
    more,
  };
}
