// The gateway's HTTP answers (docs/gateway.md) → checked values.

import { isDecimal } from './decimal';
import type { Bar, Day, Feed, Instrument, Listed, Market } from './state/words';
import { millis } from './time';
import { isFields, list, problemOf, str, verdict, whole } from './wire';

const TIMEOUT_MS = 8_000;

/** What the gateway answered instead; `status` 0 = it did not. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function ask(path: string, parameters: Record<string, string>, token: string): Promise<Record<string, unknown>> {
  const query = new URLSearchParams(parameters).toString();
  const headers: HeadersInit = token ? { authorization: `Bearer ${token}` } : {};
  let answer: Response;
  try {
    answer = await fetch(`v1/${path}${query && `?${query}`}`, { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Refusal(0, error instanceof Error ? error.message : 'no answer');
  }
  const value: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && isFields(value)) return value;
  const error = isFields(value) && isFields(value['error']) ? problemOf(value['error']) : '';
  throw new Refusal(answer.status, error || `${answer.status} ${answer.statusText}`);
}

export async function askSymbols(token: string): Promise<readonly Listed[]> {
  const answer = await ask('symbols', {}, token);
  return list(answer['symbols']).flatMap((one) => listed(one) ?? []);
}

export function listed(value: unknown): Listed | undefined {
  if (!isFields(value)) return undefined;
  const market = value['market'];
  const symbol = str(value['symbol']);
  if ((market !== 'kr' && market !== 'us') || !symbol) return undefined;
  const tapes = [...new Set([...list(value['tapes']), ...list(value['seen'])].map(str))].filter(Boolean);
  return {
    market, symbol, name: str(value['name']), sources: list(value['sources']).map(str),
    tapes: tapes.length > 0 ? tapes : [market === 'us' ? 'us' : 'krx'],
  };
}

export async function askBars({ market, symbol, tape }: Instrument, token: string): Promise<readonly Bar[]> {
  const answer = await ask('bars', { symbol, market, tape, interval: '1m' }, token);
  return list(answer['bars']).flatMap((one) => barOf(one) ?? []);
}

export function barOf(value: unknown): Bar | undefined {
  if (!isFields(value)) return undefined;
  const [start, volume] = [whole(value['start']), whole(value['volume'])];
  const prices = ['open', 'high', 'low', 'close'].map((name) => str(value[name]));
  const [open, high, low, close] = prices;
  if (start === undefined || volume === undefined || !prices.every(isDecimal)) return undefined;
  return { start, volume, last: 0, open: open ?? '', high: high ?? '', low: low ?? '', close: close ?? '' };
}

export interface Health {
  readonly feeds: readonly Feed[];
  /** Whether the bus and the archive answer the gateway. */
  readonly bus: boolean;
  readonly archive: boolean;
}

export async function askHealth(token: string): Promise<Health> {
  const answer = await ask('health', {}, token);
  const feeds = list(answer['feeds']).flatMap((one) => feedOf(one) ?? []);
  return { feeds, bus: answer['bus'] !== false, archive: answer['archive'] !== false };
}

export function feedOf(value: unknown): Feed | undefined {
  if (!isFields(value)) return undefined;
  const number = (name: string) => {
    const one = value[name];
    return typeof one === 'number' && Number.isFinite(one) ? one : undefined;
  };
  return {
    market: str(value['market']), source: str(value['source']), verdict: verdict(value['state']),
    since: millis(value['since_ns']), why: str(value['why']),
    keys: number('keys') ?? 0, connected: number('connected') ?? 0, registered: number('registered') ?? 0,
    delay: number('delay_ms'), delayWorst: number('delay_p99_ms'), rate: number('events_per_second'),
    refused: number('refused'), gaps: number('gaps_open'),
  };
}

export async function askDays(market: Market, days: number, token: string): Promise<readonly Day[]> {
  const answer = await ask('completeness', { market, days: String(days) }, token);
  return list(answer['days']).flatMap((one) => dayOf(one) ?? []);
}

export function dayOf(value: unknown): Day | undefined {
  if (!isFields(value)) return undefined;
  const count = (name: string) => whole(value[name]) ?? 0;
  return {
    date: str(value['trade_date']), market: str(value['market']), instruments: count('instruments'), proven: count('proven'),
    withoutTotal: count('no_total') + count('not_final'), missing: count('missing'), recovered: count('recovered_volume'),
    openGaps: count('open_gaps'),
  };
}
