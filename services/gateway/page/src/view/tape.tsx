// The trades of the chosen instrument, newest first, with who took liquidity; holes and late ones are named.

import { Fragment } from 'preact';
import { digitsOf, showCount, showPrice } from '../decimal';
import { unseen } from '../state/tape';
import type { Side } from '../state/words';
import { clock } from '../time';
import { word, type TextName } from '../texts';
import { marketStale, texts, type Props } from './use';

const SHOWN = 80;
const SIDES: Record<Side, readonly [look: string, name: TextName]> = {
  buy: ['up', 'buy'],
  sell: ['down', 'sell'],
  none: ['', 'noSide'],
  unspecified: ['', 'noSide'],
};

/** How far a large print reaches; of a small one nothing is drawn. */
function part(quantity: number, most: number): string {
  const percent = Math.round((100 * quantity) / most);
  return percent < 12 ? '0%' : `${percent}%`;
}

export function Tape({ state }: Props) {
  const say = texts(state);
  const { chosen, language } = state.preferences;
  const market = chosen?.market ?? 'kr';
  const digits = digitsOf(market);
  const shown = state.tape.slice(0, SHOWN);
  const most = Math.max(1, ...shown.map(({ quantity }) => quantity));
  return (
    <section class={`panel tape ${marketStale(state, market) ? 'old' : ''}`} aria-labelledby="tape-title">
      <h2 id="tape-title">{say('tape')}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="tape-title">
        <table>
          <thead>
            <tr><th scope="col">{say('time')}</th><th scope="col">{say('price')}</th><th scope="col">{say('quantity')}</th><th scope="col">{say('source')}</th></tr>
          </thead>
          <tbody>
            {shown.map((trade, place) => {
              const missing = unseen(trade, state.tape[place + 1]);
              const [look, name] = SIDES[trade.side];
              return (
                <Fragment key={`${trade.date}/${trade.cumulative}`}>
                  <tr class={trade.late ? 'late' : ''}>
                    <td class="num">{clock(trade.at, market)}</td>
                    <td class={`num ${look}`}>{showPrice(trade.price, digits)}</td>
                    <td class={`num size ${look}`} title={say(name)} style={{ '--part': part(trade.quantity, most) }}>{showCount(trade.quantity)}<span class="hidden"> {say(name)}</span></td>
                    <td><small>{word(language, trade.source)}{trade.late && ` · ${say('late')}`}</small></td>
                  </tr>
                  {missing > 0 && <tr class="unseen"><td colSpan={4}>{showCount(missing)}{say('unseen')}</td></tr>}
                </Fragment>
              );
            })}
          </tbody>
        </table>
        {state.tape.length === 0 && <p class="empty">{say('noTrades')}</p>}
      </div>
    </section>
  );
}
