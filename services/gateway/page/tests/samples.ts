// Values that the tests begin with.
import type { Bar, Book, Instrument, Trade } from '../src/state/words';

export const SAMSUNG: Instrument = { market: 'kr', symbol: '005930', tape: 'krx' };
export const HYNIX: Instrument = { market: 'kr', symbol: '000660', tape: 'krx' };
/** 2026-11-25 09:00:00 KST. */
export const NINE = 1_795_564_800_000;

/** A print of `quantity` shares that ends at `cumulative`. */
export function print(cumulative: number, quantity: number, more: Partial<Trade> = {}): Trade {
  return {
    source: 'kis', price: '70000', quantity, side: 'buy', at: NINE, receivedAt: NINE, date: '2026-11-25', cumulative, late: false, ...more,
  };
}

export function book(at: number, asks: readonly [string, number][], bids: readonly [string, number][], more: Partial<Book> = {}): Book {
  const levels = (side: readonly [string, number][]) => side.map(([price, quantity]) => ({ price, quantity }));
  return { source: 'kis', at, receivedAt: at, asks: levels(asks), bids: levels(bids), totalAsk: 0, totalBid: 0, expected: undefined, ...more };
}

export function bar(minutes: number, prices: readonly [string, string, string, string], volume: number, last = 0): Bar {
  const [open, high, low, close] = prices;
  return { start: NINE / 1000 + 60 * minutes, open, high, low, close, volume, last };
}
