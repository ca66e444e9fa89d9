// The gateway's HTTP answers (docs/gateway.md) → checked values.

import { isDecimal } from './decimal';
import { SECOND } from './state/bars';
import type { Bar, Daily, Day, Feed, Gap, Instrument, Listed, Market } from './state/words';
import { millis } from './time';
import { isFields, list, problemOf, str, verdict, whole } from './wire';

const TIMEOUT_MS = 8_000;
/** Of bars of a second the last hour is asked for. */
const HOUR_MS = 3_600_000;
/** So far back the day before the last one is looked for: longer than any holiday. */
const DAILY_MS = 14 * 24 * HOUR_MS;

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
    throw new Refusal(0, unanswered(error));
  }
  const value: unknown = await answer.json().catch((error: unknown) => ({ error: { problem: unanswered(error) } }));
  if (answer.ok && isFields(value) && !('error' in value)) return value;
  const error = isFields(value) && isFields(value['error']) ? problemOf(value['error']) : '';
  throw new Refusal(answer.status, error || `${answer.status} ${answer.statusText}`);
}

function unanswered(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  return error instanceof Error ? error.message : 'no answer';
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

/** Bars of `unit` seconds: of minutes the last day that has any, of seconds the hour before `now` (ms). */
export async function askBars({ market, symbol, tape }: Instrument, unit: number, now: number, token: string): Promise<readonly Bar[]> {
  const which: Record<string, string> = unit === SECOND ? { interval: '1s', from: instant(now - HOUR_MS) } : { interval: '1m' };
  const answer = await ask('bars', { symbol, market, tape, ...which }, token);
  return list(answer['bars']).flatMap((one) => barOf(one) ?? []);
}

function instant(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString();
}

/** The last two days of an instrument that have trades. */
export async function askDaily({ market, symbol, tape }: Instrument, now: number, token: string): Promise<Daily | undefined> {
  const from = instant(now - DAILY_MS).slice(0, 10);
  const answer = await ask('bars', { symbol, market, tape, interval: '1d', from }, token);
  return dailyOf(list(answer['bars']).flatMap((one) => barOf(one) ?? []));
}

/** Bars of days, the latest last; each begins at midnight of its date in UTC. */
export function dailyOf(days: readonly Bar[]): Daily | undefined {
  const date = (bar: Bar) => new Date(bar.start * 1000).toISOString().slice(0, 10);
  const last = days.at(-1);
  const before = days.at(-2);
  return last && { date: date(last), open: last.open, before: before && { date: date(before), close: before.close } };
}

export async function askGaps(market: Market, token: string): Promise<readonly Gap[]> {
  const answer = await ask('gaps', { market }, token);
  return list(answer['gaps']).flatMap((one) => gapOf(one) ?? []);
}

export function gapOf(value: unknown): Gap | undefined {
  if (!isFields(value) || !str(value['reason'])) return undefined;
  const after = whole(value['after_cumulative_volume']);
  const until = whole(value['until_cumulative_volume']);
  return {
    market: str(value['market']), source: str(value['source']), symbol: str(value['symbol']), tape: str(value['tape']),
    connection: str(value['connection']), reason: str(value['reason']), detail: str(value['detail']),
    from: millis(value['from_ns']), until: millis(value['until_ns']), open: value['is_open'] !== false,
    shares: after === undefined || until === undefined ? undefined : { after, until },
    left: whole(value['open_volume']), residue: whole(value['residue']),
  };
}

/** The open ones first, then the latest. */
export function sortedGaps(gaps: readonly Gap[]): readonly Gap[] {
  return gaps.toSorted((a, b) => Number(b.open) - Number(a.open) || (b.from ?? 0) - (a.from ?? 0));
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
