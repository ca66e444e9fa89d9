// Everything that the page knows, and how what happens changes it. Pure: no clock, no network.

import { nameOf, type Bar, type Book, type Daily, type Day, type Feed, type Gap, type Happening, type Instrument, type Listed, type Road, type Trade } from './words';
import type { Preferences } from '../preferences';
import type { Purpose } from '../wanted';
import type { FeedTold, Item } from '../wire';
import { interrupted, MINUTE, NO_BARS, unitOf, withArchive, withTape, withTrades, type Bars } from './bars';
import { laterBook } from './book';
import { quoteAfter, type Quote } from './quote';
import { addTrades } from './tape';

export const MOST_HAPPENINGS = 50;

export interface LinkState {
  readonly phase: 'connecting' | 'open' | 'waiting';
  /** When something was last heard, ms of this machine's clock. */
  readonly heardAt: number | undefined;
  readonly retryAt: number;
  readonly why: string;
  /** The gateway's clock minus this machine's, ms. */
  readonly ahead: number;
}

export interface State {
  readonly preferences: Preferences;
  readonly link: LinkState;
  readonly listed: readonly Listed[];
  readonly quotes: Readonly<Record<string, Quote>>;
  readonly tape: readonly Trade[];
  readonly bars: Bars;
  /** Seconds of a bar where nobody has chosen. */
  readonly span: number;
  readonly barsProblem: string;
  /** The last days of instruments, by name. */
  readonly daily: Readonly<Record<string, Daily>>;
  readonly books: Readonly<Partial<Record<Road, Book>>>;
  /** What the stream says of each feed, by `kr/kis`. */
  readonly told: Readonly<Record<string, FeedTold>>;
  readonly feeds: readonly Feed[];
  /** Since when the gateway does not reach the bus, ms of this machine's clock. */
  readonly busGoneAt: number | undefined;
  /** Whether the archive answers the gateway. */
  readonly archive: boolean;
  readonly days: readonly Day[] | undefined;
  readonly daysProblem: string;
  /** Today's gaps, the open ones first; undefined = not known yet. */
  readonly gaps: readonly Gap[] | undefined;
  readonly gapsProblem: string;
  readonly happenings: readonly Happening[];
  /** The gateway wants a token (`ask`), or another one than was given (`wrong`). */
  readonly locked: Locked;
}

export type Locked = '' | 'ask' | 'wrong';

export type Action =
  | { readonly type: 'opening' }
  | { readonly type: 'opened'; readonly now: number | undefined; readonly at: number }
  | { readonly type: 'closed'; readonly why: string; readonly retryAt: number }
  | { readonly type: 'heard'; readonly at: number }
  | { readonly type: 'begun'; readonly purpose: Purpose }
  | { readonly type: 'items'; readonly purpose: Purpose; readonly items: readonly Item[]; readonly skipped: number; readonly at: number }
  | { readonly type: 'refused'; readonly text: string; readonly at: number }
  | { readonly type: 'listed'; readonly listed: readonly Listed[] }
  | { readonly type: 'archive'; readonly instrument: Instrument; readonly unit: number; readonly bars: readonly Bar[] }
  | { readonly type: 'span'; readonly span: number }
  | { readonly type: 'daily'; readonly instrument: Instrument; readonly daily: Daily | undefined }
  | { readonly type: 'gaps'; readonly gaps: readonly Gap[]; readonly problem: string }
  | { readonly type: 'archive failed'; readonly instrument: Instrument; readonly problem: string }
  | { readonly type: 'health'; readonly feeds: readonly Feed[]; readonly bus: boolean; readonly archive: boolean; readonly at: number }
  | { readonly type: 'days'; readonly days: readonly Day[]; readonly problem: string }
  | { readonly type: 'locked'; readonly locked: Locked }
  | { readonly type: 'preferences'; readonly preferences: Preferences };

export function initial(preferences: Preferences): State {
  return {
    preferences,
    link: { phase: 'connecting', heardAt: undefined, retryAt: 0, why: '', ahead: 0 },
    listed: [], quotes: {}, tape: [], bars: noBars(preferences.span), span: MINUTE, barsProblem: '', daily: {}, books: {}, told: {},
    feeds: [], busGoneAt: undefined, archive: true, days: undefined, daysProblem: '', gaps: undefined, gapsProblem: '',
    happenings: [], locked: '',
  };
}

/** Seconds of the bars that are shown. */
export function spanOf({ preferences, span }: State): number {
  return preferences.span || span;
}

function noBars(span: number): Bars {
  return { ...NO_BARS, unit: unitOf(span || MINUTE) };
}

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'opening':
      return { ...state, link: { ...state.link, phase: 'connecting' } };
    case 'opened': {
      const ahead = action.now === undefined ? 0 : action.now - action.at;
      return { ...state, locked: '', link: { ...state.link, phase: 'open', heardAt: action.at, why: '', ahead } };
    }
    case 'closed':
      return { ...state, link: { ...state.link, phase: 'waiting', why: action.why, retryAt: action.retryAt } };
    case 'heard':
      return { ...state, link: { ...state.link, heardAt: action.at } };
    case 'begun':
      return begin(state, action.purpose);
    case 'items':
      return take(state, action.purpose, action.items, action.skipped, action.at);
    case 'refused':
      return happen(state, [{ at: action.at, market: '', source: '', what: 'error', detail: action.text }]);
    case 'listed':
      return { ...state, listed: action.listed };
    case 'archive':
      if (!isChosen(state, action.instrument) || state.bars.unit !== action.unit) return state;
      return { ...state, bars: withArchive(state.bars, action.bars), barsProblem: '' };
    case 'span':
      return withBarsOf({ ...state, span: action.span });
    case 'daily': {
      if (!action.daily) return state;
      return { ...state, daily: { ...state.daily, [nameOf(action.instrument)]: action.daily } };
    }
    case 'gaps':
      return { ...state, gaps: action.problem && state.gaps ? state.gaps : action.gaps, gapsProblem: action.problem };
    case 'archive failed':
      if (!isChosen(state, action.instrument)) return state;
      // Without the archive the stream's own bars are shown, and the page says so.
      return { ...state, bars: withArchive(state.bars, state.bars.archive), barsProblem: action.problem };
    case 'health':
      return { ...state, feeds: action.feeds, archive: action.archive, busGoneAt: action.bus ? undefined : (state.busGoneAt ?? action.at) };
    case 'days':
      return { ...state, days: action.problem && state.days ? state.days : action.days, daysProblem: action.problem };
    case 'locked':
      return { ...state, locked: action.locked };
    case 'preferences':
      return prefer(state, action.preferences);
  }
}

function isChosen({ preferences }: State, instrument: Instrument): boolean {
  return preferences.chosen !== undefined && nameOf(preferences.chosen) === nameOf(instrument);
}

/** Another instrument's tape, bars and books are nobody's business any more. */
function prefer(state: State, preferences: Preferences): State {
  const next = { ...state, preferences };
  const chosen = preferences.chosen;
  if (chosen && isChosen(state, chosen)) return withBarsOf(next);
  return { ...next, tape: [], span: MINUTE, bars: noBars(preferences.span), barsProblem: '', books: {} };
}

/** Bars of another unit begin anew, with the trades of the tape: those that are there cannot be cut. */
function withBarsOf(state: State): State {
  const span = spanOf(state);
  return unitOf(span) === state.bars.unit ? state : { ...state, bars: withTape(noBars(span), state.tape), barsProblem: '' };
}

/** A subscription begins anew: its book is unknown until the snapshot tells it; trades stay, holes between them show. */
function begin(state: State, purpose: Purpose): State {
  if (purpose === 'trades') return { ...state, bars: interrupted(state.bars) };
  if (!purpose.startsWith('book ')) return state;
  const books = { ...state.books };
  delete books[purpose.slice('book '.length) as Road];
  return { ...state, books };
}

function take(before: State, purpose: Purpose, items: readonly Item[], skipped: number, at: number): State {
  let state = before;
  if (skipped > 0) {
    state = happen(state, [{ at, market: '', source: '', what: 'skipped', detail: String(skipped) }]);
  }
  if (purpose === 'trades') {
    const trades = items.flatMap((item) => (item.kind === 'trade' && isChosen(state, item.instrument) ? item.trade : []));
    state = { ...state, tape: addTrades(state.tape, trades), bars: withTrades(state.bars, trades) };
  }
  if (purpose === 'trades' || purpose.startsWith('watch ')) state = quote(state, items);
  if (purpose.startsWith('book ')) state = book(state, purpose.slice('book '.length) as Road, items);
  for (const item of items) {
    const more = happening(state, item, at);
    if (more) state = happen(state, [more]);
    if (item.kind === 'feed') state = { ...state, told: { ...state.told, [`${item.market}/${item.source}`]: item } };
  }
  return state;
}

function quote(state: State, items: readonly Item[]): State {
  const trades = new Map<string, Trade[]>();
  for (const item of items) {
    if (item.kind !== 'trade') continue;
    const name = nameOf(item.instrument);
    trades.set(name, [...(trades.get(name) ?? []), item.trade]);
  }
  if (trades.size === 0) return state;
  const quotes = { ...state.quotes };
  for (const [name, more] of trades) {
    const after = quoteAfter(quotes[name], more);
    if (after) quotes[name] = after;
  }
  return { ...state, quotes };
}

function book(state: State, road: Road, items: readonly Item[]): State {
  let latest = state.books[road];
  for (const item of items) {
    if (item.kind === 'book' && isChosen(state, item.instrument)) latest = laterBook(latest, item.book);
  }
  return latest && latest !== state.books[road] ? { ...state, books: { ...state.books, [road]: latest } } : state;
}

function happening(state: State, item: Item, at: number): Happening | undefined {
  switch (item.kind) {
    case 'status':
      return { at: item.at ?? at, market: item.market, source: item.source, what: item.what, detail: item.detail };
    case 'source': {
      const { market, symbol, tape } = item.instrument;
      return { at, market, source: item.source, what: 'source', detail: [symbol, tape, `${item.from} → ${item.source}`, item.why].filter(Boolean).join(' · ') };
    }
    case 'feed': {
      // Only what changed: a snapshot tells every feed again.
      const known = state.told[`${item.market}/${item.source}`];
      if (!known || known.state === item.state) return undefined;
      return { at, market: item.market, source: item.source, what: item.state, detail: item.why };
    }
    case 'trade':
    case 'book':
    case 'gap':
      return undefined;
  }
}

function happen(state: State, more: readonly Happening[]): State {
  if (more.length === 0) return state;
  return { ...state, happenings: [...more.toReversed(), ...state.happenings].slice(0, MOST_HAPPENINGS) };
}
