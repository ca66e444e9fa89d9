// Books → the rows of the ladder: one book, or both brokers' on common prices.

import { compare, isDecimal } from '../decimal';
import type { Book, Level } from './words';

/** The latest of two books of one road: never back in exchange time, then never back in the time of receipt. */
export function laterBook(before: Book | undefined, after: Book): Book {
  if (!before || after.at > before.at) return after;
  return after.at === before.at && after.receivedAt >= before.receivedAt ? after : before;
}

/** A price of the ladder and what rests there, by column; undefined = the price is not in that book. */
export interface Row {
  readonly price: string;
  readonly quantities: readonly (number | undefined)[];
}

export interface Ladder {
  /** The best ask last: the rows are read from the top, highest price first. */
  readonly asks: readonly Row[];
  readonly bids: readonly Row[];
  /** The largest quantity, for the length of the bars. */
  readonly most: number;
}

/** A book in the ladder: one that stands still has no say in which prices are shown, unless all do. */
export interface Shown {
  readonly book: Book | undefined;
  readonly stale: boolean;
}

/** Rows of some books side by side, each a column; at most `depth` prices a side. */
export function ladderOf(columns: readonly Shown[], depth: number): Ladder {
  const anyLive = columns.some(({ book, stale }) => book && !stale);
  const makesRows = columns.map(({ stale }) => !anyLive || !stale);
  const asks = side(columns.map(({ book }) => book?.asks ?? []), makesRows, depth, 1).reverse();
  const bids = side(columns.map(({ book }) => book?.bids ?? []), makesRows, depth, -1);
  const all = [...asks, ...bids].flatMap((row) => row.quantities.map((one) => one ?? 0));
  return { asks, bids, most: Math.max(1, ...all) };
}

/** The best prices first: ascending for asks (`order` 1), descending for bids (-1). */
function side(columns: readonly (readonly Level[])[], makesRows: readonly boolean[], depth: number, order: 1 | -1): Row[] {
  // A broker shows market orders of an auction as a quantity without a price.
  const priced = columns.map((levels) => levels.filter(({ price }) => isDecimal(price) && compare(price, '0') > 0));
  const rows = new Map<string, (number | undefined)[]>();
  priced.forEach((levels, column) => {
    if (makesRows[column]) for (const { price } of levels) rows.set(price, columns.map(() => undefined));
  });
  priced.forEach((levels, column) => {
    for (const { price, quantity } of levels) {
      const row = rows.get(price);
      if (row) row[column] = quantity;
    }
  });
  return [...rows]
    .map(([price, quantities]) => ({ price, quantities }))
    .sort((a, b) => order * compare(a.price, b.price))
    .slice(0, depth);
}

/** Rows filled up to `depth`, so that the ladder does not jump: empty ones away from the middle. */
export function filled(rows: readonly Row[], depth: number, above: boolean): readonly (Row | undefined)[] {
  const empty: undefined[] = Array.from({ length: Math.max(0, depth - rows.length) }, () => undefined);
  return above ? [...empty, ...rows] : [...rows, ...empty];
}
