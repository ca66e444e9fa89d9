// Trades → the last price of an instrument, for the watch list and the head.

import { compare } from '../decimal';
import type { Side, Trade } from './words';

export interface Quote {
  readonly price: string;
  readonly side: Side;
  readonly at: number;
  readonly receivedAt: number;
  readonly date: string;
  readonly cumulative: number;
  /** Against the price before it that differed: 1 up, -1 down, 0 none known. */
  readonly tick: -1 | 0 | 1;
}

/** The quote after some trades. A late trade, or one that is not beyond the quote, says nothing about the last price. */
export function quoteAfter(before: Quote | undefined, trades: readonly Trade[]): Quote | undefined {
  let quote = before;
  for (const trade of trades) {
    if (trade.late || (quote && !isBeyond(trade, quote))) continue;
    const order = quote ? Math.sign(compare(trade.price, quote.price)) : 0;
    const tick = order === 0 ? (quote?.tick ?? 0) : order > 0 ? 1 : -1;
    const { price, side, at, receivedAt, date, cumulative } = trade;
    quote = { price, side, at, receivedAt, date, cumulative, tick };
  }
  return quote;
}

function isBeyond(trade: Trade, quote: Quote): boolean {
  if (trade.date !== quote.date) return trade.date > quote.date;
  return trade.cumulative > quote.cumulative;
}
