// Trades as they come → the tape of one instrument: newest first, each once, holes named.

import type { Trade } from './words';

/** Trades that are kept; more than a screen shows. */
export const MOST_TRADES = 200;

/** Adds trades; one that is known is left out, a late one takes its place by the cumulative volume. */
export function addTrades(tape: readonly Trade[], more: readonly Trade[]): readonly Trade[] {
  if (more.length === 0) return tape;
  const next = [...tape];
  let changed = false;
  for (const trade of more) {
    const place = placeOf(next, trade);
    if (place < 0 || place >= MOST_TRADES) continue;
    next.splice(place, 0, trade);
    changed = true;
  }
  return changed ? next.slice(0, MOST_TRADES) : tape;
}

/** Where a trade belongs in a list that is newest first; -1 = it is there already. */
function placeOf(tape: readonly Trade[], trade: Trade): number {
  for (let place = 0; place < tape.length; place += 1) {
    const order = newer(trade, tape[place] as Trade);
    if (order === 0) return -1;
    if (order > 0) return place;
  }
  return tape.length;
}

function newer(a: Trade, b: Trade): number {
  if (a.date !== b.date && a.date !== '' && b.date !== '') return a.date > b.date ? 1 : -1;
  return a.cumulative - b.cumulative;
}

/** Shares between a trade and the one before it that the page has not seen. */
export function unseen(later: Trade, earlier: Trade | undefined): number {
  if (!earlier || later.date !== earlier.date) return 0;
  return Math.max(0, later.cumulative - later.quantity - earlier.cumulative);
}

/** Whether a trade is the very next one of the same day. */
export function follows(later: Trade, earlier: Trade | undefined): boolean {
  return earlier !== undefined && earlier.date === later.date && unseen(later, earlier) === 0;
}
