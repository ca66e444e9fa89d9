// What the page shows → the subscriptions that it needs, each under the name of its purpose.

import type { Preferences } from './preferences';
import type { Instrument, Road } from './state/words';

export interface Request {
  readonly market: string;
  readonly symbols: readonly string[];
  readonly source: Road;
  readonly kinds: readonly string[];
  readonly tape?: string;
}

/** What a subscription is for: it says where its items go. */
export type Purpose = `watch ${string}` | `status ${string}` | 'trades' | `book ${Road}`;

export function wantedOf(preferences: Preferences): ReadonlyMap<Purpose, Request> {
  const wanted = new Map<Purpose, Request>();
  for (const market of ['kr', 'us']) {
    wanted.set(`status ${market}`, { market, symbols: ['*'], source: 'merged', kinds: ['status'] });
  }
  for (const [place, watched] of byPlace(preferences.watch)) {
    const { market, tape } = watched[0] as Instrument;
    const symbols = watched.map((one) => one.symbol);
    wanted.set(`watch ${place}`, { market, tape, symbols, source: 'merged', kinds: ['trade'] });
  }
  const chosen = preferences.chosen;
  if (chosen) {
    const one = { market: chosen.market, tape: chosen.tape, symbols: [chosen.symbol] };
    wanted.set('trades', { ...one, source: 'merged', kinds: ['trade'] });
    for (const source of roadsOf(preferences)) {
      wanted.set(`book ${source}`, { ...one, source, kinds: ['order_book'] });
    }
  }
  return wanted;
}

/** The roads whose books the ladder shows. */
export function roadsOf({ ladder, chosen }: Preferences): readonly Road[] {
  if (ladder === 'merged') return ['merged'];
  // The US come from one broker alone.
  return chosen?.market === 'us' ? ['kis'] : ['kis', 'kiwoom'];
}

function byPlace(watch: readonly Instrument[]): ReadonlyMap<string, Instrument[]> {
  const places = new Map<string, Instrument[]>();
  for (const one of watch) {
    const place = `${one.market}/${one.tape}`;
    places.set(place, [...(places.get(place) ?? []), one]);
  }
  return places;
}
