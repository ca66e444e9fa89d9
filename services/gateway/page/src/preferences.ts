// What a person chose, kept in the browser: language, colours, watch list. What cannot be read is the default.

import type { Instrument, Market } from './state/words';

export type Language = 'ko' | 'en';
export type Theme = 'system' | 'light' | 'dark';
/** Which colour is up: red as in Korea, green as in the US. */
export type Colours = 'korean' | 'western';
export type LadderKind = 'sides' | 'merged';

export interface Preferences {
  readonly language: Language;
  readonly theme: Theme;
  readonly colours: Colours;
  readonly ladder: LadderKind;
  /** Seconds of a bar; 0 = as fits what there is. */
  readonly span: number;
  readonly watch: readonly Instrument[];
  readonly chosen: Instrument | undefined;
}

const KEY = 'sise.preferences.1';
export const MOST_WATCHED = 100;
export const SPANS: readonly number[] = [1, 10, 60, 300, 900];

export function defaults(language: string): Preferences {
  return {
    language: language.toLowerCase().startsWith('ko') ? 'ko' : 'en',
    theme: 'system',
    colours: 'korean',
    ladder: 'sides',
    span: 0,
    watch: [],
    chosen: undefined,
  };
}

/** What stands in the browser's storage, word for word checked: another version of the page may have written it. */
export function parsePreferences(text: string | null, language: string): Preferences {
  const base = defaults(language);
  let kept: Record<string, unknown>;
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    kept = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return base;
  }
  const watch = Array.isArray(kept['watch']) ? kept['watch'].flatMap((one) => instrument(one) ?? []) : [];
  return {
    language: oneOf(kept['language'], ['ko', 'en'], base.language),
    theme: oneOf(kept['theme'], ['system', 'light', 'dark'], base.theme),
    colours: oneOf(kept['colours'], ['korean', 'western'], base.colours),
    ladder: oneOf(kept['ladder'], ['sides', 'merged'], base.ladder),
    span: oneOf(kept['span'], SPANS, base.span),
    watch: watch.slice(0, MOST_WATCHED),
    chosen: instrument(kept['chosen']),
  };
}

function oneOf<T>(value: unknown, allowed: readonly T[], otherwise: T): T {
  return allowed.includes(value as T) ? (value as T) : otherwise;
}

function instrument(value: unknown): Instrument | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { market, symbol, tape } = value as Record<string, unknown>;
  if ((market !== 'kr' && market !== 'us') || typeof symbol !== 'string' || typeof tape !== 'string') return undefined;
  if (!/^[A-Za-z0-9/]{1,15}$/.test(symbol) || !/^[a-z]{2,3}$/.test(tape)) return undefined;
  return { market: market as Market, symbol, tape };
}

/** Reads them from the browser; without storage (private windows) the defaults hold. */
export function readPreferences(): Preferences {
  let text: string | null = null;
  try {
    text = localStorage.getItem(KEY);
  } catch {
    // No storage: nothing is kept, and everything works.
  }
  return parsePreferences(text, navigator.language);
}

export function keepPreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // As above.
  }
}
