// The words of the page's state: what the gateway's messages are turned into. Prices stay decimal strings.

export type Market = 'kr' | 'us';
export type Broker = 'kis' | 'kiwoom';
/** Where a stream is taken from. */
export type Road = Broker | 'merged';
export type Side = 'buy' | 'sell' | 'none' | 'unspecified';

/** One tape of one instrument: cumulative volumes of two tapes are two counters. */
export interface Instrument {
  readonly market: Market;
  readonly symbol: string;
  readonly tape: string;
}

/** `kr/005930/krx`. A symbol may hold a slash (BRK/B), so the name is never taken apart. */
export function nameOf(one: Instrument): string {
  return `${one.market}/${one.symbol}/${one.tape}`;
}

/** What may be followed. */
export interface Listed {
  readonly market: Market;
  readonly symbol: string;
  /** What people call it; empty = no name. */
  readonly name: string;
  readonly tapes: readonly string[];
  /** Brokers that tell it. */
  readonly sources: readonly string[];
}

/** One execution. */
export interface Trade {
  readonly source: string;
  readonly price: string;
  readonly quantity: number;
  readonly side: Side;
  /** Exchange time, ms. */
  readonly at: number;
  /** When the broker's frame was read, ms. */
  readonly receivedAt: number;
  /** Trading day, `2026-11-25`; empty = not told. */
  readonly date: string;
  /** Shares traded on this tape and day, this print included: the trade's name. */
  readonly cumulative: number;
  /** Told after its successors had passed. */
  readonly late: boolean;
}

/** One price of a book. */
export interface Level {
  readonly price: string;
  readonly quantity: number;
}

/** A whole book, the best first on both sides. */
export interface Book {
  readonly source: string;
  readonly asks: readonly Level[];
  readonly bids: readonly Level[];
  readonly totalAsk: number;
  readonly totalBid: number;
  /** Expected price of a running auction. */
  readonly expected: string | undefined;
  readonly at: number;
  readonly receivedAt: number;
}

/** Prices of a stretch of time. */
export interface Bar {
  /** Begin, seconds since 1970. */
  readonly start: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: number;
  /** Cumulative volume after its last trade, where the stream told it; 0 = it did not. */
  readonly last: number;
}

/** How a broker's feed of a market is. */
export interface Feed {
  readonly market: string;
  readonly source: string;
  readonly verdict: 'alive' | 'quiet' | 'dead' | 'unknown';
  readonly since: number | undefined;
  readonly why: string;
  readonly keys: number;
  readonly connected: number;
  readonly registered: number;
  readonly delay: number | undefined;
  readonly delayWorst: number | undefined;
  readonly rate: number | undefined;
  readonly refused: number | undefined;
  readonly gaps: number | undefined;
}

/** How complete a day is. */
export interface Day {
  readonly date: string;
  readonly market: string;
  readonly instruments: number;
  readonly proven: number;
  readonly withoutTotal: number;
  readonly missing: number;
  readonly recovered: number;
  readonly openGaps: number;
}

/** The last days of an instrument, as far as the archive has them. */
export interface Daily {
  /** The latest day that has trades, `2026-11-25`, and the price of its first one. */
  readonly date: string;
  readonly open: string;
  /** The day before it that has trades, and the price of its last one. */
  readonly before: { readonly date: string; readonly close: string } | undefined;
}

/** A stretch of time or of shares in which trades or books are missing, or may be. */
export interface Gap {
  readonly market: string;
  readonly source: string;
  /** Empty = more than one instrument. */
  readonly symbol: string;
  readonly tape: string;
  readonly connection: string;
  readonly reason: string;
  readonly detail: string;
  /** Nothing was missing at `from`; nothing is any more at `until`, ms. */
  readonly from: number | undefined;
  readonly until: number | undefined;
  readonly open: boolean;
  /** The shares `(after, until]` by cumulative volume that are missing; undefined = a stretch of time. */
  readonly shares: { readonly after: number; readonly until: number } | undefined;
  /** Shares that are still missing; undefined = a stretch of time. */
  readonly left: number | undefined;
  /** What a recovery left; undefined = nobody has tried. */
  readonly residue: number | undefined;
}

/** Something that a person may want to know, as it happened. */
export interface Happening {
  readonly at: number;
  readonly market: string;
  readonly source: string;
  readonly what: string;
  readonly detail: string;
}
