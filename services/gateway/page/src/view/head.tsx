// The chosen instrument in one line: name, tape, last price, what it did since the day before or the day's first trade.

import { compare, digitsOf, showCount, showDifference, showPercent, showPrice } from '../decimal';
import { nameOf, type Bar } from '../state/words';
import { clock, day, stretch } from '../time';
import { baseOf, changeOf, listedOf, marketStale, tapeName, texts, type Props } from './use';

export function Head({ state, control, now }: Props) {
  const say = texts(state);
  const { chosen, language } = state.preferences;
  if (!chosen) return <section class="panel head"><p class="empty">{say('chooseFirst')}</p></section>;
  const listed = listedOf(state, chosen);
  const quote = state.quotes[nameOf(chosen)];
  const base = baseOf(state, chosen);
  const change = quote && changeOf(quote.price, base);
  const digits = digitsOf(chosen.market);
  const stale = marketStale(state, chosen.market);
  const range = quote && state.bars.loaded ? rangeOf(state.bars.list, day(quote.at, chosen.market), chosen.market, quote.price) : undefined;
  const figures: (readonly [label: string, value: string | undefined])[] = [
    // Of bars of a second there is one hour: no day's range.
    ...(state.bars.unit === 1 ? [] : [[say('dayHigh'), range && showPrice(range.high, digits)], [say('dayLow'), range && showPrice(range.low, digits)]] as const),
    [say('volume'), quote && showCount(quote.cumulative)],
  ];
  return (
    <section class={`panel head ${stale ? 'old' : ''}`} aria-label={listed?.name || chosen.symbol}>
      <h2>{listed?.name || chosen.symbol} <small class="num">{listed?.name ? chosen.symbol : say(chosen.market)}</small></h2>
      <span class="tapes" role="group" aria-label={say('tapes')}>
        {(listed?.tapes ?? [chosen.tape]).map((tape) => (
          <button key={tape} type="button" aria-pressed={tape === chosen.tape} onClick={() => control.choose({ ...chosen, tape })}>
            {tapeName(language, tape)}
          </button>
        ))}
      </span>
      <span class={`num last ${change?.way ?? ''}`} data-test="last">{quote ? showPrice(quote.price, digits) : '–'}</span>
      {change && (
        <span class={`num change ${change.way}`} data-test="change">
          <span>{showDifference(change.difference, digits)} <b>{showPercent(change.points)}</b></span> <small>{base?.date ? `${base.date.slice(5)} ${say('fromClose')}` : say('fromOpen')}</small>
        </span>
      )}
      <span class="figures">
        {figures.map(([label, value]) => value !== undefined && <span key={label} class="num"><small>{label}</small> <span>{value}</span></span>)}
      </span>
      {stale && (
        <span class="since" role="status" data-test="old">
          {say('allDead')}{stale.since !== undefined && ` · ${clock(stale.since, chosen.market)} (${stretch(now + state.link.ahead - stale.since)})`}
        </span>
      )}
    </section>
  );
}

/** The highest and the lowest price of a day, as far as its bars and its last price tell. */
function rangeOf(bars: readonly Bar[], today: string, market: string, last: string): { high: string; low: string } {
  let [high, low] = [last, last];
  // A date costs: it is asked for once an hour, and a trading day begins on the hour.
  let hour = -1;
  for (let place = bars.length - 1; place >= 0; place -= 1) {
    const bar = bars[place] as Bar;
    const of = Math.floor(bar.start / 3_600);
    if (of !== hour && day(bar.start * 1000, market) !== today) break;
    hour = of;
    if (compare(bar.high, high) > 0) high = bar.high;
    if (compare(bar.low, low) < 0) low = bar.low;
  }
  return { high, low };
}
