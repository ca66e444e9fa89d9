import { describe, expect, it } from 'vitest';
import { interrupted, MOST_BARS, NO_BARS, SECOND, unitOf, usualSpan, wider, withArchive, withTrades } from '../src/state/bars';
import { filled, ladderOf, laterBook } from '../src/state/book';
import { quoteAfter } from '../src/state/quote';
import { addTrades, MOST_TRADES, unseen } from '../src/state/tape';
import type { Book } from '../src/state/words';
import { bar, book, NINE, print } from './samples';

describe('the tape', () => {
  it('is newest first, each trade once', () => {
    const tape = addTrades(addTrades([], [print(10, 10), print(30, 20)]), [print(30, 20), print(35, 5)]);
    expect(tape.map((trade) => trade.cumulative)).toEqual([35, 30, 10]);
  });

  it('puts a late trade where its cumulative volume says, and the hole is gone', () => {
    const before = addTrades([], [print(10, 10), print(35, 5)]);
    expect(unseen(before[0]!, before[1])).toBe(20);
    const after = addTrades(before, [print(30, 20, { late: true })]);
    expect(after.map((trade) => trade.cumulative)).toEqual([35, 30, 10]);
    expect(unseen(after[0]!, after[1])).toBe(0);
  });

  it('begins a day anew: a small cumulative volume of tomorrow is newer', () => {
    const tape = addTrades([], [print(9_000, 5), print(7, 7, { date: '2026-11-26' })]);
    expect(tape.map((trade) => trade.cumulative)).toEqual([7, 9_000]);
    expect(unseen(tape[0]!, tape[1])).toBe(0);
  });

  it('is bounded, and what is older than all of it stays out', () => {
    const many = Array.from({ length: MOST_TRADES + 50 }, (_, at) => print(10 * (at + 1), 10));
    const tape = addTrades([], many);
    expect(tape).toHaveLength(200);
    expect(tape[0]!.cumulative).toBe(2_500);
    expect(addTrades(tape, [print(5, 5, { late: true })])).toBe(tape);
  });
});

describe('the quote', () => {
  it('is the last in cumulative volume; a late trade is no last price', () => {
    const quote = quoteAfter(undefined, [print(10, 10), print(30, 20, { price: '70100' }), print(20, 10, { price: '60000', late: true })]);
    expect(quote).toMatchObject({ price: '70100', cumulative: 30, tick: 1 });
  });

  it('keeps its tick while the price stands', () => {
    const quote = quoteAfter(undefined, [print(1, 1, { price: '10000' }), print(2, 1, { price: '9990' }), print(3, 1, { price: '9990' })]);
    expect(quote).toMatchObject({ price: '9990', tick: -1 });
  });

  it('does not go back to a snapshot that is older', () => {
    const quote = quoteAfter(quoteAfter(undefined, [print(30, 20, { price: '70100' })]), [print(10, 10)]);
    expect(quote).toMatchObject({ price: '70100', cumulative: 30 });
  });
});

describe('the ladder', () => {
  const live = (book: Book | undefined) => ({ book, stale: false });
  const kis = book(NINE, [['70100', 5], ['70200', 7]], [['70000', 3], ['69900', 4]]);
  const kiwoom = book(NINE, [['70100', 6], ['70300', 1]], [['70000', 3]]);

  it('puts two brokers on common prices, highest first', () => {
    const { asks, bids, most } = ladderOf([live(kis), live(kiwoom)], 10);
    expect(asks.map(({ price, quantities }) => [price, ...quantities])).toEqual([
      ['70300', undefined, 1], ['70200', 7, undefined], ['70100', 5, 6],
    ]);
    expect(bids.map(({ price, quantities }) => [price, ...quantities])).toEqual([['70000', 3, 3], ['69900', 4, undefined]]);
    expect(most).toBe(7);
  });

  it('keeps the prices next to the middle when there are too many', () => {
    const { asks, bids } = ladderOf([live(kis), live(kiwoom)], 1);
    expect([asks[0]!.price, bids[0]!.price]).toEqual(['70100', '70000']);
  });

  it('sorts by number: 9,990 is below 10,000', () => {
    const { asks } = ladderOf([live(book(NINE, [['9990', 1], ['10000', 1]], []))], 10);
    expect(asks.map(({ price }) => price)).toEqual(['10000', '9990']);
  });

  it('has no row for a quantity without a price, and none for an absent book', () => {
    expect(ladderOf([live(book(NINE, [['0', 900]], [])), live(undefined)], 10)).toEqual({ asks: [], bids: [], most: 1 });
  });

  it('shows a book that stands still only beside the prices of a living one', () => {
    const stale = { book: kiwoom, stale: true };
    const { asks } = ladderOf([live(kis), stale], 10);
    expect(asks.map(({ price, quantities }) => [price, ...quantities])).toEqual([['70200', 7, undefined], ['70100', 5, 6]]);
    expect(ladderOf([{ book: kis, stale: true }, stale], 10).asks.map(({ price }) => price)).toEqual(['70300', '70200', '70100']);
    expect(ladderOf([live(undefined), stale], 10).asks.map(({ price }) => price)).toEqual(['70300', '70100']);
  });

  it('keeps its height', () => {
    const { asks } = ladderOf([live(kis)], 10);
    expect(filled(asks, 4, true).map((row) => row?.price)).toEqual([undefined, undefined, '70200', '70100']);
    expect(filled(asks, 4, false).map((row) => row?.price)).toEqual(['70200', '70100', undefined, undefined]);
  });

  it('never takes a book that is older by the exchange', () => {
    const older = book(NINE - 1_000, [], []);
    expect(laterBook(kis, older)).toBe(kis);
    const sameSecond = book(NINE, [], [], { receivedAt: NINE + 5 });
    expect(laterBook(kis, sameSecond)).toBe(sameSecond);
  });
});

describe('the bars', () => {
  const archive = [bar(0, ['70000', '70200', '69900', '70100'], 100), bar(1, ['70100', '70100', '70000', '70000'], 50)];
  const minute = (minutes: number) => NINE + 60_000 * minutes + 1_000;

  it('are the archive’s until the stream tells something', () => {
    expect(withArchive(NO_BARS, archive).list).toEqual(archive);
  });

  it('meet in the minute of the stream’s first trade: prices of both, no share twice', () => {
    const bars = withTrades(withArchive(NO_BARS, archive), [print(150, 10, { at: minute(1), price: '70300' }), print(160, 10, { at: minute(1), price: '69000' })]);
    expect(bars.list).toEqual([archive[0], bar(1, ['70100', '70300', '69000', '69000'], 50, 160)]);
    expect(bars.joint).toBe(NINE / 1000 + 60);
  });

  it('are the stream’s after it, whatever the archive has of them so far', () => {
    const trades = [print(150, 10, { at: minute(1) }), print(170, 20, { at: minute(2), price: '70500' }), print(175, 5, { at: minute(2), price: '70400' })];
    const later = [archive[0]!, bar(1, ['70100', '70100', '70000', '70000'], 60), bar(2, ['70500', '70500', '70500', '70500'], 20)];
    const bars = withArchive(withTrades(NO_BARS, trades), later);
    expect(bars.list).toEqual([archive[0], bar(1, ['70100', '70100', '70000', '70000'], 60, 150), bar(2, ['70500', '70500', '70400', '70400'], 25, 175)]);
  });

  it('wait for the archive', () => {
    expect(withTrades(NO_BARS, [print(150, 10, { at: minute(1) })]).list).toEqual([]);
  });

  it('do not count a repeated snapshot twice', () => {
    const once = withTrades(withArchive(NO_BARS, archive), [print(160, 10, { at: minute(2) })]);
    expect(withTrades(once, [print(160, 10, { at: minute(2) }), print(155, 5, { at: minute(2) })])).toBe(once);
  });

  it('take a late trade into its own minute, but not for its close', () => {
    const next = withTrades(withArchive(NO_BARS, archive), [
      print(160, 10, { at: minute(2) }), print(180, 10, { at: minute(3), price: '70500' }), print(200, 20, { at: minute(4) }),
      print(170, 10, { at: minute(3), price: '71000', late: true }),
    ]);
    expect(next.list[3]).toEqual(bar(3, ['70500', '71000', '70500', '70500'], 20, 180));
  });

  it('have a new meeting after an interruption: the minutes between are the archive’s', () => {
    const before = withTrades(withArchive(NO_BARS, archive), [print(160, 10, { at: minute(2) }), print(165, 5, { at: minute(3) })]);
    const after = withTrades(interrupted(before), [print(300, 10, { at: minute(6) })]);
    // The archive is not that far yet: what the stream told of before still stands.
    expect(after.list.map(({ start, volume }) => [(start - NINE / 1000) / 60, volume])).toEqual([[0, 100], [1, 50], [2, 10], [3, 5], [6, 10]]);
    const whole = [...archive, bar(2, ['1', '1', '1', '1'], 11), bar(3, ['1', '1', '1', '1'], 40), bar(5, ['1', '1', '1', '1'], 70)];
    expect(withArchive(after, whole).list.map(({ start, volume }) => [(start - NINE / 1000) / 60, volume]))
      .toEqual([[0, 100], [1, 50], [2, 11], [3, 40], [5, 70], [6, 10]]);
  });

  it('of a second meet in their second, and an hour of them is kept', () => {
    const at = (second: number, more: object) => print(100 + second, 10, { at: NINE + 1_000 * second + 300, ...more });
    const bars = withTrades(withArchive({ ...NO_BARS, unit: SECOND }, [bar(0, ['1', '1', '1', '1'], 5)]), [at(2, { price: '70100' }), at(3, { price: '70200' })]);
    expect(bars.list.map(({ start, close }) => [start - NINE / 1000, close])).toEqual([[0, '1'], [2, '70100'], [3, '70200']]);
    expect(bars.joint).toBe(NINE / 1000 + 2);
    const many = Array.from({ length: MOST_BARS + 30 }, (_, second) => print(10 * (second + 1), 10, { at: NINE + 1_000 * second }));
    const kept = withTrades(bars, many.slice(20));
    expect(kept.list).toHaveLength(3_600);
    expect(kept.list.at(-1)?.start).toBe(NINE / 1000 + 3_629);
  });

  it('are as narrow as a young day needs', () => {
    expect([0, 4, 5, 29, 30, 400].map(usualSpan)).toEqual([1, 1, 10, 10, 60, 60]);
    expect([1, 10, 60, 900].map(unitOf)).toEqual([1, 1, 60, 60]);
  });

  it('are joined to wider ones', () => {
    const five = wider([...archive, bar(5, ['1', '2', '1', '2'], 1)], 300);
    expect(five).toEqual([bar(0, ['70000', '70200', '69900', '70000'], 150), bar(5, ['1', '2', '1', '2'], 1)]);
  });
});
