import { describe, expect, it } from 'vitest';
import { backoff } from '../src/backoff';
import { baseOf, bookStale, changeOf, marketStale } from '../src/view/use';
import { found } from '../src/find';
import { defaults, parsePreferences } from '../src/preferences';
import { initial, reduce, type Action, type State } from '../src/state/app';
import { clock, day, millis, stretch } from '../src/time';
import { wantedOf } from '../src/wanted';
import { book, HYNIX, NINE, print, SAMSUNG } from './samples';

const begin = initial({ ...defaults('ko-KR'), watch: [SAMSUNG, HYNIX], chosen: SAMSUNG });
const run = (actions: readonly Action[], state: State = begin) => actions.reduce(reduce, state);
const items = (purpose: Extract<Action, { type: 'items' }>['purpose'], list: Extract<Action, { type: 'items' }>['items']): Action =>
  ({ type: 'items', purpose, items: list, skipped: 0, at: NINE });

describe('the page', () => {
  it('takes trades of the chosen instrument for the tape, of every watched one for quotes', () => {
    const state = run([
      items('trades', [{ kind: 'trade', instrument: SAMSUNG, trade: print(10, 10) }]),
      items('watch kr/krx', [{ kind: 'trade', instrument: HYNIX, trade: print(4, 4, { price: '180000' }) }]),
    ]);
    expect(state.tape.map((trade) => trade.price)).toEqual(['70000']);
    expect(state.quotes['kr/000660/krx']?.price).toBe('180000');
  });

  it('forgets the other instrument when one is chosen', () => {
    const full = run([
      items('trades', [{ kind: 'trade', instrument: SAMSUNG, trade: print(10, 10) }]),
      items('book kis', [{ kind: 'book', instrument: SAMSUNG, book: book(NINE, [['70100', 1]], []) }]),
    ]);
    expect(full.books.kis).toBeDefined();
    const other = run([{ type: 'preferences', preferences: { ...full.preferences, chosen: HYNIX } }], full);
    expect([other.tape, other.books, other.bars.loaded]).toEqual([[], {}, false]);
    // What was still on its way is nobody's.
    const late = run([items('book kis', [{ kind: 'book', instrument: SAMSUNG, book: book(NINE + 1, [], []) }])], other);
    expect(late.books).toEqual({});
    const archive = run([{ type: 'archive', instrument: SAMSUNG, unit: 60, bars: [] }], other);
    expect(archive.bars.loaded).toBe(false);
  });

  it('keeps what it knows while the link is down, and says since when', () => {
    const state = run([
      { type: 'opened', now: NINE + 500, at: NINE },
      items('trades', [{ kind: 'trade', instrument: SAMSUNG, trade: print(10, 10) }]),
      { type: 'heard', at: NINE + 2_000 },
      { type: 'closed', why: 'code 1006', retryAt: NINE + 3_000 },
    ]);
    expect(state.link).toEqual({ phase: 'waiting', heardAt: NINE + 2_000, retryAt: NINE + 3_000, why: 'code 1006', ahead: 500 });
    expect(state.tape).toHaveLength(1);
  });

  it('does not show a book of before when its subscription begins anew', () => {
    const full = run([items('book kis', [{ kind: 'book', instrument: SAMSUNG, book: book(NINE, [['70100', 1]], []) }])]);
    expect(run([{ type: 'begun', purpose: 'book kis' }], full).books.kis).toBeUndefined();
    expect(run([{ type: 'begun', purpose: 'trades' }], full).books.kis).toBeDefined();
  });

  it('tells a feed that changed, and not one that a snapshot repeats', () => {
    const feed = (state: 'alive' | 'dead') =>
      items('status kr', [{ kind: 'feed', market: 'kr', source: 'kis', state, since: NINE, why: 'w', deadSymbols: [] }]);
    const state = run([feed('alive'), feed('alive'), feed('dead')]);
    expect(state.happenings.map(({ what }) => what)).toEqual(['dead']);
    expect(state.told['kr/kis']?.state).toBe('dead');
  });

  it('says since when the gateway does not reach the bus, and forgets it when it does', () => {
    const health = (bus: boolean, at: number): Action => ({ type: 'health', feeds: [], bus, archive: true, at });
    expect(run([health(true, 1)]).busGoneAt).toBeUndefined();
    expect(run([health(false, 2), health(false, 3)]).busGoneAt).toBe(2);
    expect(run([health(false, 2), health(true, 3)]).busGoneAt).toBeUndefined();
  });

  it('forgets bars that cannot be cut as they are wanted, and takes no answer for them', () => {
    const loaded = run([{ type: 'archive', instrument: SAMSUNG, unit: 60, bars: [] }]);
    expect(loaded.bars.loaded).toBe(true);
    const wide = run([{ type: 'preferences', preferences: { ...loaded.preferences, span: 300 } }], loaded);
    expect([wide.bars.loaded, wide.bars.unit]).toEqual([true, 60]);
    const narrow = run([{ type: 'span', span: 10 }], loaded);
    expect([narrow.bars.loaded, narrow.bars.unit]).toEqual([false, 1]);
    expect(run([{ type: 'archive', instrument: SAMSUNG, unit: 60, bars: [] }], narrow).bars.loaded).toBe(false);
    // What a person chose counts, and another instrument begins with minutes.
    expect(run([{ type: 'preferences', preferences: { ...narrow.preferences, span: 60 } }], narrow).bars.unit).toBe(60);
    expect(run([{ type: 'preferences', preferences: { ...narrow.preferences, chosen: HYNIX } }], narrow).bars.unit).toBe(60);
  });

  it('keeps what the stream told when narrower bars begin anew, up to the first hole', () => {
    const told = [print(10, 10, { price: '1', at: NINE - 1_000 }), print(30, 5, { price: '2' }), print(34, 4, { price: '3', at: NINE + 1_000 })];
    const state = run([items('trades', told.map((trade) => ({ kind: 'trade', instrument: SAMSUNG, trade }))), { type: 'span', span: 1 }]);
    const { bars } = run([{ type: 'archive', instrument: SAMSUNG, unit: 1, bars: [] }], state);
    expect(bars.list.map(({ close, volume }) => [close, volume])).toEqual([['2', 5], ['3', 4]]);
    expect(bars.joint).toBe(NINE / 1000);
    // Another day's trades are no part of it, and without any there is nothing to begin with.
    const days = [print(34, 34, { date: '2026-11-24' }), print(5, 5)];
    const other = run([items('trades', days.map((trade) => ({ kind: 'trade', instrument: SAMSUNG, trade }))), { type: 'span', span: 1 }]);
    expect(other.bars.stream.map(({ volume }) => volume)).toEqual([5]);
    expect(run([{ type: 'span', span: 1 }]).bars.joint).toBeUndefined();
  });

  it('compares a price with the close of the day before, else with the day’s first one, and with no other day', () => {
    const day = (date: string, before?: { date: string; close: string }): Action =>
      ({ type: 'daily', instrument: SAMSUNG, daily: { date, open: '69000', before } });
    const traded = items('trades', [{ kind: 'trade', instrument: SAMSUNG, trade: print(10, 10) }]);
    const change = (state: State) => changeOf('70000', baseOf(state, SAMSUNG));
    expect(change(run([traded]))).toBeUndefined();
    expect(change(run([traded, day('2026-11-25')]))).toEqual({ difference: '1000', points: 145n, way: 'up' });
    expect(change(run([traded, day('2026-11-25', { date: '2026-11-24', close: '71000' })]))).toEqual({ difference: '-1000', points: -141n, way: 'down' });
    expect(change(run([traded, day('2026-11-24')]))).toBeUndefined();
    expect(baseOf(run([traded, day('2026-11-25', { date: '2026-11-24', close: '71000' })]), SAMSUNG)?.date).toBe('2026-11-24');
  });

  it('is stale when no feed of a market is left, and a book when its own is dead', () => {
    const feed = (source: string, state: 'alive' | 'dead' | 'unknown', since: number): Action =>
      items('status kr', [{ kind: 'feed', market: 'kr', source, state, since, why: '', deadSymbols: [] }]);
    const open: Action = { type: 'opened', now: NINE, at: NINE };
    const one = run([open, feed('kis', 'alive', 1), feed('kiwoom', 'dead', 2)]);
    expect([marketStale(one, 'kr'), marketStale(one, 'us')]).toEqual([undefined, undefined]);
    expect([bookStale(one, 'kis', 'kr'), bookStale(one, 'kiwoom', 'kr')]).toEqual([undefined, { since: 2, why: 'source' }]);
    expect(marketStale(run([feed('kis', 'unknown', 5)], one), 'kr')).toEqual({ since: 5, why: 'source' });
  });

  it('keeps the gaps that it knows when they cannot be read', () => {
    const gap = { market: 'kr', source: 'kis', symbol: '', tape: '', connection: 'main', reason: 'disconnected', detail: '', from: 1, until: undefined, open: true, shares: undefined, left: undefined, residue: undefined };
    const known = run([{ type: 'gaps', gaps: [gap], problem: '' }]);
    const away = run([{ type: 'gaps', gaps: [], problem: 'archive: away' }], known);
    expect([away.gaps, away.gapsProblem]).toEqual([[gap], 'archive: away']);
    expect(run([{ type: 'gaps', gaps: [], problem: 'archive: away' }]).gaps).toEqual([]);
  });

  it('opens when the gateway lets it in', () => {
    const locked = run([{ type: 'locked', locked: 'wrong' }]);
    expect([locked.locked, run([{ type: 'opened', now: NINE, at: NINE }], locked).locked]).toEqual(['wrong', '']);
  });

  it('keeps a bounded list of what happened, newest first', () => {
    const many = Array.from({ length: 60 }, (_, at): Action => ({ type: 'refused', text: String(at), at }));
    const { happenings } = run(many);
    expect(happenings).toHaveLength(50);
    expect(happenings[0]?.detail).toBe('59');
  });
});

describe('subscriptions', () => {
  it('are one for each place of the watch list and each book that is shown', () => {
    const wanted = wantedOf(begin.preferences);
    expect([...wanted.keys()]).toEqual(['status kr', 'status us', 'watch kr/krx', 'trades', 'book kis', 'book kiwoom']);
    expect(wanted.get('watch kr/krx')).toEqual({ market: 'kr', tape: 'krx', symbols: ['005930', '000660'], source: 'merged', kinds: ['trade'] });
    const merged = wantedOf({ ...begin.preferences, ladder: 'merged' });
    expect([...merged.keys()].slice(4)).toEqual(['book merged']);
  });
});

describe('preferences', () => {
  it('survive what another version wrote', () => {
    const kept = JSON.stringify({ language: 'fr', theme: 'dark', watch: [SAMSUNG, { symbol: 5 }, 'x'], chosen: { ...SAMSUNG, market: 'jp' }, span: 7 });
    expect(parsePreferences(kept, 'en-GB')).toEqual({ ...defaults('en'), theme: 'dark', watch: [SAMSUNG] });
    expect(parsePreferences('{', 'ko')).toEqual(defaults('ko'));
    expect(parsePreferences('null', 'ko')).toEqual(defaults('ko'));
  });
});

describe('search', () => {
  const listed = [
    { market: 'kr' as const, symbol: '005930', name: '삼성전자', tapes: ['krx', 'nxt'], sources: [] },
    { market: 'kr' as const, symbol: '009150', name: '삼성전기', tapes: ['krx'], sources: [] },
    { market: 'us' as const, symbol: 'BRK/B', name: '', tapes: ['us'], sources: [] },
  ];
  const names = (words: string) => found(listed, words).map(({ instrument }) => `${instrument.symbol} ${instrument.tape}`);

  it('finds by code, by name and by letters of a Mac’s keyboard', () => {
    expect(names('0059')).toEqual(['005930 krx', '005930 nxt']);
    expect(names('삼성전기')).toEqual(['009150 krx']);
    expect(names('삼성전기'.normalize('NFD'))).toEqual(['009150 krx']);
    expect(names('brk')).toEqual(['BRK/B us']);
    expect(names('zzz')).toEqual([]);
  });
});

describe('time', () => {
  it('is the exchange’s', () => {
    expect([clock(NINE, 'kr'), clock(NINE, 'us'), day(NINE, 'kr'), day(NINE, 'us')]).toEqual(['09:00:00', '19:00:00', '2026-11-25', '2026-11-24']);
  });

  it('comes as nanoseconds in a string', () => {
    expect(millis('1795564800123000000')).toBe(1_795_564_800_123);
    expect([millis(''), millis('-1'), millis(null)]).toEqual([undefined, undefined, undefined]);
  });

  it('is told in few characters', () => {
    expect([stretch(3_400), stretch(125_000), stretch(3_840_000), stretch(180_000_000), stretch(-5)]).toEqual(['3s', '2m 05s', '1h 04m', '2d 02h', '0s']);
  });

  it('between tries doubles up to ten seconds, spread by a fifth', () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((attempt) => backoff(attempt, 0.5))).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect([backoff(1, 0), backoff(1, 1)]).toEqual([400, 600]);
  });
});
