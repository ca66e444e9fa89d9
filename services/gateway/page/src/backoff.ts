// How long to wait before the next try: doubling, bounded, spread so that many pages do not come at once.

const FIRST_MS = 500;
const MOST_MS = 10_000;
/** Part of the wait that chance takes away or adds. */
const SPREAD = 0.2;

/** Milliseconds before try `attempt`, from 1; `chance` is from 0 to 1. */
export function backoff(attempt: number, chance: number): number {
  const wait = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(wait * (1 - SPREAD + 2 * SPREAD * chance));
}
