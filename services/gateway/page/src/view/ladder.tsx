// The order book: both brokers on common prices, or the one merged book with its source.

import { digitsOf, minus, showCount, showPrice } from '../decimal';
import type { LadderKind } from '../preferences';
import { filled, ladderOf, type Row } from '../state/book';
import { nameOf, type Book, type Road } from '../state/words';
import { clock, stretch } from '../time';
import { word, type TextName } from '../texts';
import { roadsOf } from '../wanted';
import { baseOf, bookStale, changeOf, texts, type Base, type Props, type Stale } from './use';

const DEPTH = 10;
const KINDS: readonly LadderKind[] = ['sides', 'merged'];

export function Ladder(props: Props) {
  const { state, control, now } = props;
  const say = texts(state);
  const { chosen, ladder, language } = state.preferences;
  const market = chosen?.market ?? 'kr';
  const roads = roadsOf(state.preferences);
  const columns = roads.map((road) => ({ road, book: state.books[road], stale: bookStale(state, road, market) }));
  const { asks, bids, most } = ladderOf(columns.map(({ book, stale }) => ({ book, stale: stale !== undefined })), DEPTH);
  const last = chosen && state.quotes[nameOf(chosen)]?.price;
  const shared = { columns, most, digits: digitsOf(market), last, base: chosen && baseOf(state, chosen) };
  const expected = columns.find(({ book }) => book?.expected)?.book?.expected;
  return (
    <section class="panel book" id="book" tabIndex={-1} aria-labelledby="book-title">
      <h2 id="book-title">{say('book')}</h2>
      <span class="kinds" role="group" aria-labelledby="book-title">
        {KINDS.map((kind) => (
          <button key={kind} type="button" aria-pressed={kind === ladder} onClick={() => control.prefer({ ladder: kind })}>{say(kind)}</button>
        ))}
      </span>
      {expected !== undefined && <p class="note num">{say('expected')} <strong>{showPrice(expected, digitsOf(market))}</strong></p>}
      {columns.map(({ road, stale }) => stale?.why === 'source' && (
        <p key={road} class="note warn" role="status">
          {road === 'merged' ? '' : `${word(language, road)}: `}{say('sourceDead')}
          {stale.since !== undefined && ` (${clock(stale.since, market)}, ${stretch(now + state.link.ahead - stale.since)})`}
        </p>
      ))}
      <div class="scroll">
        <table class={`ladder ${columns.length === 2 ? 'two' : 'one'}`}>
          <caption class="hidden">{say('book')}</caption>
          <thead>
            <tr>
              <Heading {...head(props, columns[0])} first />
              <th scope="col" class="middle-price">{say('price')}</th>
              {columns.length === 2 ? <Heading {...head(props, columns[1])} /> : <th scope="col">{say('bidQuantity')}</th>}
            </tr>
          </thead>
          <tbody class="asks">
            {filled(asks, DEPTH, true).map((row, place) => <Line key={place} row={row} side="ask" {...shared} />)}
          </tbody>
          <tbody class="spread">
            <tr><td /><td class="num">{asks.length > 0 && bids.length > 0 && <Spread ask={asks.at(-1) as Row} bid={bids[0] as Row} digits={shared.digits} say={say} />}</td><td /></tr>
          </tbody>
          <tbody class="bids">
            {filled(bids, DEPTH, false).map((row, place) => <Line key={place} row={row} side="bid" {...shared} />)}
          </tbody>
          <tfoot>
            <Totals columns={columns} say={say} />
          </tfoot>
        </table>
      </div>
    </section>
  );
}

interface Column {
  readonly road: Road;
  readonly book: Book | undefined;
  readonly stale: Stale | undefined;
}

function head({ state, now }: Props, column: Column | undefined) {
  return { state, now, column };
}

/** Whose book it is, its exchange time, and whether it stands still. */
function Heading({ state, column, first }: Pick<Props, 'state' | 'now'> & { column: Column | undefined; first?: boolean }) {
  const say = texts(state);
  const { chosen, language } = state.preferences;
  const book = column?.book;
  const name = column ? (column.road === 'merged' ? (book?.source ?? 'merged') : column.road) : '';
  const when = book && chosen ? clock(book.at, chosen.market) : say(column?.stale ? 'noBook' : 'noBookYet');
  return (
    <th scope="col" class={column?.stale ? 'stale' : ''} data-test={`book-${column?.road ?? ''}`}>
      <span>{column?.road === 'merged' && first ? `${say('askQuantity')} · ` : ''}{word(language, name)}</span>
      <small class="num">{column?.stale ? `${say('staleBook')} ${book ? when : ''}` : when}</small>
    </th>
  );
}

interface LineProps {
  readonly row: Row | undefined;
  readonly side: 'ask' | 'bid';
  readonly columns: readonly Column[];
  readonly most: number;
  readonly digits: number;
  readonly last: string | undefined;
  readonly base: Base | undefined;
}

/** Prices are coloured by what they are compared with, as the last price is; the sides have their tints. */
function Line({ row, side, columns, most, digits, last, base }: LineProps) {
  const way = row && changeOf(row.price, base)?.way;
  const price = <th scope="row" class={`num middle-price ${way ?? ''} ${columns.every(({ stale }) => stale) ? 'stale' : ''} ${row && row.price === last ? 'last' : ''}`}>{row ? showPrice(row.price, digits) : ''}</th>;
  const cell = (place: number, where: 'left' | 'right') => {
    const quantity = row?.quantities[place];
    const width = quantity === undefined ? 0 : Math.round((100 * quantity) / most);
    return (
      <td class={`num ${where} ${columns[place]?.stale ? 'stale' : ''}`} style={{ '--part': `${width}%` }}>
        {quantity !== undefined && <span>{showCount(quantity)}</span>}
      </td>
    );
  };
  if (columns.length === 2) return <tr>{cell(0, 'left')}{price}{cell(1, 'right')}</tr>;
  return side === 'ask' ? <tr>{cell(0, 'left')}{price}<td /></tr> : <tr><td />{price}{cell(0, 'right')}</tr>;
}

/** Between the best prices of both sides; of two brokers they may cross for a moment. */
function Spread({ ask, bid, digits, say }: { ask: Row; bid: Row; digits: number; say: (name: TextName) => string }) {
  const difference = minus(ask.price, bid.price);
  return difference.startsWith('-') ? null : <small>{say('spread')} {showPrice(difference, digits)}</small>;
}

/** Who waits: the asks' and the bids' part of all shares in a book. */
function Pressure({ book }: { book: Book | undefined }) {
  const all = book ? book.totalAsk + book.totalBid : 0;
  if (!book || all === 0) return null;
  return <i class="pressure" style={{ '--part': `${(100 * book.totalAsk) / all}%` }} />;
}

function Totals({ columns, say }: { columns: readonly Column[]; say: (name: TextName) => string }) {
  const count = (value: number | undefined) => (value === undefined ? '' : showCount(value));
  const [left, right] = columns.map(({ book }) => book);
  if (columns.length === 1) {
    return (
      <>
        <tr><td class="num left">{count(left?.totalAsk)}</td><th scope="row">{say('total')}</th><td class="num right"><span>{count(left?.totalBid)}</span></td></tr>
        <tr class="pressures" aria-hidden="true"><td colSpan={3}><Pressure book={left} /></td></tr>
      </>
    );
  }
  return (
    <>
      <tr><td class="num left">{count(left?.totalAsk)}</td><th scope="row">{say('askTotal')}</th><td class="num right"><span>{count(right?.totalAsk)}</span></td></tr>
      <tr><td class="num left">{count(left?.totalBid)}</td><th scope="row">{say('bidTotal')}</th><td class="num right"><span>{count(right?.totalBid)}</span></td></tr>
      <tr class="pressures" aria-hidden="true"><td><Pressure book={left} /></td><td /><td><Pressure book={right} /></td></tr>
    </>
  );
}
