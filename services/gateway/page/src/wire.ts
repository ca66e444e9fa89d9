// Text of the gateway's messages (docs/gateway.md) → checked values. What is not understood is left out, never guessed.

import { isDecimal } from './decimal';
import { millis } from './time';
import type { Book, Instrument, Level, Market, Side, Trade } from './state/words';

type Fields = Record<string, unknown>;

export interface FeedTold {
  readonly kind: 'feed';
  readonly market: string;
  readonly source: string;
  readonly state: 'alive' | 'quiet' | 'dead' | 'unknown';
  readonly since: number | undefined;
  readonly why: string;
  readonly deadSymbols: readonly string[];
}

export type Item =
  | { readonly kind: 'trade'; readonly instrument: Instrument; readonly trade: Trade }
  | { readonly kind: 'book'; readonly instrument: Instrument; readonly book: Book }
  | { readonly kind: 'gap'; readonly instrument: Instrument; readonly source: string; readonly shares: number }
  | { readonly kind: 'source'; readonly instrument: Instrument; readonly source: string; readonly from: string; readonly why: string }
  | { readonly kind: 'status'; readonly market: string; readonly source: string; readonly what: string; readonly at: number | undefined; readonly detail: string }
  | FeedTold;

export type Message =
  | { readonly type: 'hello'; readonly now: number | undefined; readonly heartbeat: number }
  | { readonly type: 'subscribed'; readonly id: string; readonly subscription: number }
  | { readonly type: 'items'; readonly subscription: number; readonly snapshot: boolean; readonly items: readonly Item[]; readonly skipped: number }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'error'; readonly id: string; readonly text: string }
  | { readonly type: 'closing'; readonly reason: string };

/** One message; undefined = of a kind that this page does not know. Throws for what is no JSON object. */
export function parseMessage(text: string): Message | undefined {
  const value: unknown = JSON.parse(text);
  if (!isFields(value)) throw new TypeError('a message is no object');
  switch (value['type']) {
    case 'hello':
      return { type: 'hello', now: millis(value['now_ns']), heartbeat: whole(value['heartbeat_ms']) ?? 5_000 };
    case 'subscribed':
      return { type: 'subscribed', id: str(value['id']), subscription: whole(value['subscription']) ?? 0 };
    case 'snapshot':
    case 'update':
      return {
        type: 'items',
        subscription: whole(value['subscription']) ?? 0,
        snapshot: value['type'] === 'snapshot',
        items: list(value['items']).flatMap((one) => parseItem(one) ?? []),
        skipped: whole(value['skipped']) ?? 0,
      };
    case 'heartbeat':
    case 'pong':
      return { type: 'heartbeat' };
    case 'error':
      return { type: 'error', id: str(value['id']), text: problemOf(value) };
    case 'closing':
      return { type: 'closing', reason: str(value['reason']) };
    default:
      return undefined;
  }
}

/** An error of the gateway in one line: where, what, what to do. */
export function problemOf(value: Fields): string {
  const where = str(value['field']);
  const said = [str(value['problem']), str(value['hint'])].filter(Boolean).join(' — ');
  return where ? `${where}: ${said}` : said;
}

/** One item of a snapshot or an update. */
export function parseItem(value: unknown): Item | undefined {
  if (!isFields(value)) return undefined;
  const market = str(value['market']);
  const source = str(value['source']);
  if (value['kind'] === 'feed') return feed(value, market, source);
  if (value['kind'] === 'status') {
    return { kind: 'status', market, source, what: str(value['what']), at: millis(value['received_ns']), detail: detailOf(value) };
  }
  const instrument = instrumentOf(value);
  if (!instrument) return undefined;
  switch (value['kind']) {
    case 'trade': {
      const trade = tradeOf(value, source);
      return trade && { kind: 'trade', instrument, trade };
    }
    case 'order_book': {
      const book = bookOf(value, source);
      return book && { kind: 'book', instrument, book };
    }
    case 'gap':
      return { kind: 'gap', instrument, source, shares: Math.max(0, (whole(value['until']) ?? 0) - (whole(value['after']) ?? 0)) };
    case 'source':
      return { kind: 'source', instrument, source, from: str(value['from']), why: str(value['why']) };
    default:
      return undefined;
  }
}

function feed(value: Fields, market: string, source: string): FeedTold {
  return {
    kind: 'feed',
    market,
    source,
    state: verdict(value['state']),
    since: millis(value['since_ns']),
    why: str(value['why']),
    deadSymbols: list(value['dead_symbols']).map(str),
  };
}

export function verdict(value: unknown): FeedTold['state'] {
  return value === 'alive' || value === 'quiet' || value === 'dead' ? value : 'unknown';
}

function tradeOf(value: Fields, source: string): Trade | undefined {
  const price = str(value['price']);
  const [quantity, cumulative] = [whole(value['quantity']), whole(value['cumulative_volume'])];
  const [at, receivedAt] = [millis(value['exchange_ns']), millis(value['received_ns'])];
  if (!isDecimal(price) || quantity === undefined || cumulative === undefined || at === undefined) return undefined;
  const date = str(value['trade_date']);
  return {
    source, price, quantity, cumulative, at, receivedAt: receivedAt ?? at, date,
    side: side(value['aggressor_side']),
    late: value['late'] === true,
  };
}

function side(value: unknown): Side {
  return value === 'buy' || value === 'sell' || value === 'none' ? value : 'unspecified';
}

function bookOf(value: Fields, source: string): Book | undefined {
  const [at, receivedAt] = [millis(value['exchange_ns']), millis(value['received_ns'])];
  if (at === undefined) return undefined;
  const expected = str(value['expected_price']);
  return {
    source, at, receivedAt: receivedAt ?? at,
    asks: list(value['asks']).flatMap((one) => level(one) ?? []),
    bids: list(value['bids']).flatMap((one) => level(one) ?? []),
    totalAsk: whole(value['total_ask_quantity']) ?? 0,
    totalBid: whole(value['total_bid_quantity']) ?? 0,
    expected: isDecimal(expected) ? expected : undefined,
  };
}

function level(value: unknown): Level | undefined {
  if (!Array.isArray(value)) return undefined;
  const [price, quantity] = [str(value[0]), whole(value[1])];
  return isDecimal(price) && quantity !== undefined ? { price, quantity } : undefined;
}

function instrumentOf(value: Fields): Instrument | undefined {
  const { market, symbol, tape } = value;
  if ((market !== 'kr' && market !== 'us') || typeof symbol !== 'string' || typeof tape !== 'string') return undefined;
  return { market: market as Market, symbol, tape };
}

/** What a status says, in one line: the fields that have no column of their own. */
function detailOf(value: Fields): string {
  const shown = new Set(['kind', 'market', 'source', 'what', 'received_ns']);
  const parts: string[] = [];
  for (const [name, one] of Object.entries(value)) {
    if (shown.has(name) || name.endsWith('_ns') || one === null || one === '') continue;
    const said = Array.isArray(one) ? brief(one.map(str)) : isFields(one) ? '' : String(one);
    if (said) parts.push(name === 'detail' || name === 'symbol' || name === 'tape' ? said : `${name.replaceAll('_', ' ')} ${said}`);
  }
  return parts.join(' · ');
}

function brief(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} +${names.length - 5}` : names.join(', ');
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function str(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A whole number that a float holds exactly. */
export function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
