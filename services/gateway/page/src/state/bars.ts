// Bars of the archive and the trades that came since → the bars of the chart.
//
// The archive is some seconds behind the stream, and its bars do not say which trades they hold. So the two meet in one
// bar, that of the stream's first trade: before it the archive counts, after it the stream, which has those bars whole; in
// it neither is whole until the archive is asked again when it is over. So no share is ever counted twice.

import { compare } from '../decimal';
import { follows } from './tape';
import type { Bar, Trade } from './words';

/** Seconds of the bars that the archive tells: minutes, or seconds for what is narrower. */
export const MINUTE = 60;
export const SECOND = 1;
/** Bars that are kept: a whole day of minutes, or an hour of seconds. */
export const MOST_BARS = 3_600;

export interface Bars {
  /** Seconds of a bar of the archive and of the stream. */
  readonly unit: number;
  /** Whether the archive has answered, or could not. */
  readonly loaded: boolean;
  /** What the chart shows. */
  readonly list: readonly Bar[];
  readonly archive: readonly Bar[];
  readonly stream: readonly Bar[];
  /** The bar in which the two meet, seconds since 1970. */
  readonly joint: number | undefined;
  /** The stream's newest trade: what is not beyond it and not late is a repetition. */
  readonly newest: { readonly date: string; readonly cumulative: number } | undefined;
}

export const NO_BARS: Bars = { unit: MINUTE, loaded: false, list: [], archive: [], stream: [], joint: undefined, newest: undefined };

/** With some trades of the stream. */
export function withTrades(bars: Bars, trades: readonly Trade[]): Bars {
  let newest = bars.newest;
  const fresh = trades.filter((trade) => {
    const beyond = !newest || trade.date > newest.date || (trade.date === newest.date && trade.cumulative > newest.cumulative);
    if (beyond) newest = { date: trade.date, cumulative: trade.cumulative };
    return beyond || trade.late;
  });
  const [first] = fresh;
  if (!first) return bars;
  return shown({ ...bars, newest, joint: bars.joint ?? startOf(first, bars.unit), stream: extend(bars, fresh) });
}

/** With those trades of a tape, which is newest first, that nothing is missing between: what the stream told of late. */
export function withTape(bars: Bars, tape: readonly Trade[]): Bars {
  const first = tape.findIndex((trade, place) => !follows(trade, tape[place + 1]));
  return withTrades(bars, tape.slice(0, first + 1).toReversed());
}

/** With the archive's bars. */
export function withArchive(bars: Bars, archive: readonly Bar[]): Bars {
  return shown({ ...bars, loaded: true, archive });
}

/** The stream begins anew: what it did not tell in between is the archive's. */
export function interrupted(bars: Bars): Bars {
  return { ...bars, joint: undefined };
}

function shown(bars: Bars): Bars {
  return bars.loaded ? { ...bars, list: joined(bars) } : bars;
}

function joined({ archive, stream, joint }: Bars): readonly Bar[] {
  if (joint === undefined) return archive;
  const found = new Map<number, Bar>();
  // Bars of before that the archive lacks: it is away, or not that far yet.
  for (const bar of stream) if (bar.start < joint) found.set(bar.start, bar);
  for (const bar of archive) if (bar.start <= joint) found.set(bar.start, bar);
  for (const bar of stream) {
    const kept = found.get(bar.start);
    if (bar.start > joint) found.set(bar.start, bar);
    else if (bar.start === joint) found.set(joint, kept ? meeting(kept, bar) : bar);
  }
  return [...found.values()].sort((a, b) => a.start - b.start).slice(-MOST_BARS);
}

/** The bar that neither has whole: prices of both, and the larger of two volumes that are both too small. */
function meeting(archive: Bar, stream: Bar): Bar {
  return {
    start: archive.start,
    open: archive.open,
    high: higher(archive.high, stream.high),
    low: lower(archive.low, stream.low),
    close: stream.close,
    volume: Math.max(archive.volume, stream.volume),
    last: stream.last,
  };
}

function extend({ stream, unit }: Bars, trades: readonly Trade[]): readonly Bar[] {
  const next = [...stream];
  for (const trade of trades) {
    const start = startOf(trade, unit);
    const place = next.findLastIndex((bar) => bar.start <= start);
    const bar = next[place];
    if (bar && bar.start === start) next[place] = added(bar, trade);
    else next.splice(place + 1, 0, begun(start, trade));
  }
  return next.slice(-MOST_BARS);
}

function startOf(trade: Trade, unit: number): number {
  return Math.floor(trade.at / 1000 / unit) * unit;
}

function begun(start: number, { price, quantity, cumulative }: Trade): Bar {
  return { start, open: price, high: price, low: price, close: price, volume: quantity, last: cumulative };
}

function added(bar: Bar, { price, quantity, cumulative }: Trade): Bar {
  return {
    ...bar,
    high: higher(price, bar.high),
    low: lower(price, bar.low),
    close: cumulative > bar.last ? price : bar.close,
    volume: bar.volume + quantity,
    last: Math.max(bar.last, cumulative),
  };
}

/** Of what bars those of `span` seconds are made. */
export function unitOf(span: number): number {
  return span < MINUTE ? SECOND : MINUTE;
}

/** How wide bars are drawn where nobody has chosen: as narrow as a young day needs, so that there is something to see. */
export function usualSpan(minutes: number): number {
  if (minutes < 5) return SECOND;
  return minutes < 30 ? 10 : MINUTE;
}

const higher = (a: string, b: string) => (compare(a, b) > 0 ? a : b);
const lower = (a: string, b: string) => (compare(a, b) < 0 ? a : b);

/** Bars of `span` seconds out of narrower ones. */
export function wider(list: readonly Bar[], span: number): readonly Bar[] {
  const next: Bar[] = [];
  for (const bar of list) {
    const start = Math.floor(bar.start / span) * span;
    const before = next.at(-1);
    if (before?.start !== start) {
      next.push({ ...bar, start });
      continue;
    }
    next[next.length - 1] = {
      ...before,
      high: higher(bar.high, before.high),
      low: lower(bar.low, before.low),
      close: bar.close,
      volume: before.volume + bar.volume,
      last: bar.last,
    };
  }
  return next;
}
