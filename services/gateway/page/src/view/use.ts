// What the views share: who is stale and since when, and what things are called.

import type { Language } from '../preferences';
import type { State } from '../state/app';
import type { Instrument, Listed, Road } from '../state/words';
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
export function listedOf(state: State, one: Instrument): Listed | undefined {
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
