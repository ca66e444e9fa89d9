// What the views share: who is stale and since when, what things are called, and what a price is compared with.

import { basisPoints, minus } from '../decimal';
import type { Language } from '../preferences';
import type { State } from '../state/app';
import { nameOf, type Instrument, type Listed, type Road } from '../state/words';
import { text, word, type TextName } from '../texts';
import type { Control } from '../control';

export interface Props {
  readonly state: State;
  readonly control: Control;
  /** This machine's clock, ms. */
  readonly now: number;
}

/** The texts in the language of the page. */
export function texts({ preferences }: State): (name: TextName) => string {
  return (name) => text(preferences.language, name);
}

export function tapeName(language: Language, tape: string): string {
  return tape === 'us' ? text(language, 'usTape') : word(language, tape);
}

/** What a symbol is called in the universe; undefined = it is not there. */
export function listedOf(state: State, one: Pick<Instrument, 'market' | 'symbol'>): Listed | undefined {
  return state.listed.find(({ market, symbol }) => market === one.market && symbol === one.symbol);
}

/** Why what is shown may be old, and since when; undefined = it is not. */
export interface Stale {
  readonly since: number | undefined;
  readonly why: 'link' | 'source';
}

export function linkStale({ link, busGoneAt }: State): Stale | undefined {
  if (link.phase !== 'open') return { since: link.heardAt, why: 'link' };
  return busGoneAt === undefined ? undefined : { since: busGoneAt, why: 'link' };
}

/** Whether the feed behind a book is dead, or the gateway is not heard. */
export function bookStale(state: State, road: Road, market: string): Stale | undefined {
  const link = linkStale(state);
  if (link) return link;
  const source = road === 'merged' ? state.books.merged?.source : road;
  const told = source ? state.told[`${market}/${source}`] : undefined;
  return told && (told.state === 'dead' || told.state === 'unknown') ? { since: told.since, why: 'source' } : undefined;
}

/** Whether nobody tells a market's trades any more: every feed of it is dead, since the last one is. */
export function marketStale(state: State, market: string): Stale | undefined {
  const feeds = Object.values(state.told).filter((told) => told.market === market);
  if (feeds.length === 0 || feeds.some((told) => told.state === 'alive' || told.state === 'quiet')) return undefined;
  const since = feeds.flatMap((told) => told.since ?? []);
  return { since: since.length > 0 ? Math.max(...since) : undefined, why: 'source' };
}

/** What a price is compared with: the last one of the day before, else the day's first one; `date` is that of the former. */
export interface Base {
  readonly price: string;
  readonly date: string | undefined;
}

/** The base of an instrument's prices, as far as the archive knows the day of its last trade. */
export function baseOf(state: State, one: Instrument): Base | undefined {
  const daily = state.daily[nameOf(one)];
  const quote = state.quotes[nameOf(one)];
  if (!daily || (quote && quote.date !== '' && quote.date !== daily.date)) return undefined;
  return daily.before ? { price: daily.before.close, date: daily.before.date } : { price: daily.open, date: undefined };
}

export interface Change {
  readonly difference: string;
  /** Hundredths of a percent. */
  readonly points: bigint;
  readonly way: Way;
}
export type Way = 'up' | 'down' | '';

/** By how much a price differs from its base. */
export function changeOf(price: string, base: Base | undefined): Change | undefined {
  const points = base && basisPoints(price, base.price);
  if (!base || points === undefined) return undefined;
  const difference = minus(price, base.price);
  return { difference, points, way: difference === '0' ? '' : difference.startsWith('-') ? 'down' : 'up' };
}
