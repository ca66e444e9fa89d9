// What a person types → the instruments that it may mean, the likeliest first.

import type { Instrument, Listed } from './state/words';

export interface Hit {
  readonly instrument: Instrument;
  readonly name: string;
}

const MOST_HITS = 12;

/** Instruments whose symbol or name holds the words; what begins with them comes first. */
export function found(listed: readonly Listed[], words: string): readonly Hit[] {
  const sought = fold(words);
  if (sought === '') return [];
  const ranked = listed
    .map((one) => ({ one, rank: rank(one, sought) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank);
  return ranked
    .flatMap(({ one: { market, symbol, name, tapes } }) => tapes.map((tape) => ({ instrument: { market, symbol, tape }, name })))
    .slice(0, MOST_HITS);
}

/** 0 the symbol itself, 1 begins so, 2 holds it, 3 neither. */
function rank({ symbol, name }: Listed, sought: string): number {
  const texts = [fold(symbol), fold(name)];
  if (texts.includes(sought)) return 0;
  if (texts.some((text) => text.startsWith(sought))) return 1;
  return texts.some((text) => text.includes(sought)) ? 2 : 3;
}

/** Without case and spaces; Korean letters put together, however the keyboard sent them. */
function fold(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/g, '');
}
