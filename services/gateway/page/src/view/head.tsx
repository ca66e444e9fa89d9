// The chosen instrument in one line: name, tape, last price and what it did since the day's first trade.

import { basisPoints, digitsOf, minus, showCount, showDifference, showPercent, showPrice } from '../decimal';
import { nameOf } from '../state/words';
import { day } from '../time';
import { listedOf, tapeName, texts, type Props } from './use';

export function Head({ state, control }: Props) {
  const say = texts(state);
  const { chosen, language } = state.preferences;
  if (!chosen) return <section class="panel head"><p class="empty">{say('chooseFirst')}</p></section>;
  const listed = listedOf(state, chosen);
  const quote = state.quotes[nameOf(chosen)];
  const today = quote && day(quote.at, chosen.market);
  const open = quote && state.bars.loaded ? state.bars.list.find((bar) => day(bar.start * 1000, chosen.market) === today)?.open : undefined;
  const difference = quote && open !== undefined ? minus(quote.price, open) : undefined;
  const points = quote && open !== undefined ? basisPoints(quote.price, open) : undefined;
  const way = points === undefined || points === 0n ? '' : points > 0n ? 'up' : 'down';
  const digits = digitsOf(chosen.market);
  return (
    <section class="panel head" aria-label={listed?.name || chosen.symbol}>
      <h2>{listed?.name || chosen.symbol} {listed?.name && <small>{chosen.symbol}</small>}</h2>
      <span class="tapes" role="group">
        {(listed?.tapes ?? [chosen.tape]).map((tape) => (
          <button key={tape} type="button" aria-pressed={tape === chosen.tape} onClick={() => control.choose({ ...chosen, tape })}>
            {tapeName(language, tape)}
          </button>
        ))}
      </span>
      <span class={`num last ${way}`} data-test="last">{quote ? showPrice(quote.price, digits) : '–'}</span>
      {difference !== undefined && points !== undefined && (
        <span class={`num ${way}`}>{showDifference(difference, digits)} {showPercent(points)} <small>{say('fromOpen')}</small></span>
      )}
      {quote && <span class="num"><small>{say('volume')}</small> {showCount(quote.cumulative)}</span>}
    </section>
  );
}
