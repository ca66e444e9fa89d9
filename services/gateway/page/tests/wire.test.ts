import { describe, expect, it } from 'vitest';
import { barOf, dailyOf, dayOf, feedOf, gapOf, listed, sortedGaps } from '../src/rest';
import { parseItem, parseMessage } from '../src/wire';

const TRADE = {
  kind: 'trade', market: 'kr', source: 'kis', symbol: '005930', tape: 'krx', trade_date: '2026-11-25',
  exchange_ns: '1795564800000000000', received_ns: '1795564800123456789', price: '70000', quantity: 3, aggressor_side: 'sell',
  cumulative_volume: 1003, session: 'regular', halted: false,
};

describe('messages of the gateway', () => {
  it('are read with times in milliseconds and prices as they stand', () => {
    const item = parseItem(TRADE);
    expect(item).toEqual({
      kind: 'trade',
      instrument: { market: 'kr', symbol: '005930', tape: 'krx' },
      trade: {
        source: 'kis', price: '70000', quantity: 3, side: 'sell', at: 1_795_564_800_000, receivedAt: 1_795_564_800_123.456,
        date: '2026-11-25', cumulative: 1003, late: false,
      },
    });
  });

  it('lose a broken item and keep its neighbours', () => {
    const broken = [{ ...TRADE, price: 70000 }, { ...TRADE, quantity: '3' }, { ...TRADE, market: 'jp' }, null, { kind: 'weather' }];
    const message = parseMessage(JSON.stringify({ type: 'update', subscription: 2, sequence: 1, items: [...broken, { ...TRADE, late: true }] }));
    expect(message).toMatchObject({ type: 'items', subscription: 2, snapshot: false, skipped: 0 });
    expect(message?.type === 'items' && message.items).toHaveLength(1);
  });

  it('say what was wrong in one line', () => {
    const text = JSON.stringify({ type: 'error', id: 'a', field: 'symbols', problem: 'none was named', hint: 'name one' });
    expect(parseMessage(text)).toEqual({ type: 'error', id: 'a', text: 'symbols: none was named — name one' });
  });

  it('of an unknown kind are left alone; what is no object is an error', () => {
    expect(parseMessage('{"type":"later"}')).toBeUndefined();
    expect(() => parseMessage('[]')).toThrow(TypeError);
    expect(() => parseMessage('{')).toThrow(SyntaxError);
  });

  it('carry books, best first', () => {
    const item = parseItem({
      kind: 'order_book', market: 'us', source: 'kis', symbol: 'AAPL', tape: 'us', exchange_ns: '1795564800000000000',
      received_ns: '1795564800000000000', asks: [['169.785', 4], ['x', 1]], bids: [['169.78', 9]], total_ask_quantity: 4, total_bid_quantity: 9,
    });
    expect(item).toMatchObject({ kind: 'book', book: { asks: [{ price: '169.785', quantity: 4 }], bids: [{ price: '169.78', quantity: 9 }], totalBid: 9 } });
  });

  it('tell feeds and statuses', () => {
    expect(parseItem({ kind: 'feed', market: 'kr', source: 'kiwoom', state: 'dead', since_ns: '1000000000', why: 'silent', dead_symbols: ['005380'] }))
      .toEqual({ kind: 'feed', market: 'kr', source: 'kiwoom', state: 'dead', since: 1000, why: 'silent', deadSymbols: ['005380'] });
    expect(parseItem({ kind: 'feed', market: 'kr', source: 'kiwoom', state: 'sideways' })).toMatchObject({ state: 'unknown' });
    expect(parseItem({ kind: 'status', market: 'kr', source: 'kis', what: 'refused', received_ns: '2000000', registration: 'H0STCNT0 005930', code: 'OPSP0008' }))
      .toEqual({ kind: 'status', market: 'kr', source: 'kis', what: 'refused', at: 2, detail: 'registration H0STCNT0 005930 · code OPSP0008' });
  });
});

describe('answers of the gateway', () => {
  it('are bars, days, feeds and symbols', () => {
    expect(barOf({ start: 60, open: '1', high: '2', low: '1', close: '2', volume: 5 }))
      .toEqual({ start: 60, open: '1', high: '2', low: '1', close: '2', volume: 5, last: 0 });
    expect(barOf({ start: 60, open: 1, high: '2', low: '1', close: '2', volume: 5 })).toBeUndefined();
    expect(dayOf({ market: 'kr', trade_date: '2026-11-24', instruments: 5, proven: 3, no_total: 1, not_final: 1, missing: 7, recovered_volume: 2, open_gaps: 1 }))
      .toEqual({ market: 'kr', date: '2026-11-24', instruments: 5, proven: 3, withoutTotal: 2, missing: 7, recovered: 2, openGaps: 1 });
    expect(feedOf({ market: 'kr', source: 'kis', state: 'alive', keys: 2, connected: 1, events_per_second: 12.5, delay_ms: 3 }))
      .toMatchObject({ verdict: 'alive', keys: 2, connected: 1, rate: 12.5, delay: 3, refused: undefined });
    expect(listed({ market: 'us', symbol: 'BRK/B', tapes: [], seen: ['us', 'day'] })).toMatchObject({ symbol: 'BRK/B', tapes: ['us', 'day'], name: '' });
  });
});

describe('gaps', () => {
  const SHARES = {
    market: 'kr', source: 'kis', trade_date: '2026-11-25', connection: '', tape: 'krx', symbol: '005930', reason: 'chain_break', from_ns: '1795564800000000000',
    until_ns: '1795564801000000000', is_open: true, detail: 'd', missing_volume: 120, open_volume: 40, after_cumulative_volume: 100, until_cumulative_volume: 220, residue: 40,
  };

  it('say which shares are missing, and how many are left', () => {
    expect(gapOf(SHARES)).toMatchObject({ from: 1_795_564_800_000, until: 1_795_564_801_000, open: true, shares: { after: 100, until: 220 }, left: 40, residue: 40 });
    const time = gapOf({ ...SHARES, symbol: '', until_ns: null, open_volume: null, after_cumulative_volume: null, residue: null });
    expect(time).toMatchObject({ symbol: '', until: undefined, shares: undefined, left: undefined, residue: undefined });
    expect(gapOf({ is_open: true })).toBeUndefined();
  });

  it('stand with the open ones first, the latest of them first', () => {
    const gap = (symbol: string, seconds: number, is_open: boolean) => gapOf({ ...SHARES, symbol, is_open, from_ns: `${1_795_564_800 + seconds}000000000` })!;
    expect(sortedGaps([gap('A', 1, true), gap('B', 9, false), gap('C', 5, true)]).map(({ symbol }) => symbol)).toEqual(['C', 'A', 'B']);
  });
});

describe('the last days', () => {
  it('are the latest with its first price, and the close of the one before', () => {
    const day = (date: string, open: string, close: string) => ({ start: Date.parse(date) / 1000, open, high: open, low: open, close, volume: 1, last: 0 });
    expect(dailyOf([])).toBeUndefined();
    expect(dailyOf([day('2026-11-25', '7', '8')])).toEqual({ date: '2026-11-25', open: '7', before: undefined });
    expect(dailyOf([day('2026-11-20', '1', '2'), day('2026-11-24', '3', '4'), day('2026-11-25', '7', '8')]))
      .toEqual({ date: '2026-11-25', open: '7', before: { date: '2026-11-24', close: '4' } });
  });
});
