// Prices as the decimal strings of the gateway → comparison, difference and text, by integers alone.
//
// A price never becomes a float here; `forChart` is the one exception, for pixels.

/** Digits behind the point that every price of the gateway fits in. */
const SCALE = 4;
const UNIT = 10n ** BigInt(SCALE);
const PATTERN = /^-?\d+(\.\d{1,4})?$/;

/** Whether a text is a price of at most four digits behind the point. */
export function isDecimal(text: string): boolean {
  return PATTERN.test(text);
}

/** A price in units of 10^-4. Throws for a text that is no price. */
export function units(text: string): bigint {
  if (!isDecimal(text)) throw new RangeError(`no price: ${JSON.stringify(text)}`);
  const negative = text.startsWith('-');
  const [whole = '0', part = ''] = (negative ? text.slice(1) : text).split('.');
  const value = BigInt(whole) * UNIT + BigInt(part.padEnd(SCALE, '0'));
  return negative ? -value : value;
}

/** Units of 10^-4 as a decimal string without needless zeros. */
export function decimal(value: bigint): string {
  const size = value < 0n ? -value : value;
  const part = String(size % UNIT).padStart(SCALE, '0').replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${size / UNIT}${part ? `.${part}` : ''}`;
}

/** Below zero, zero or above it, as a is less than, equal to or greater than b. */
export function compare(a: string, b: string): number {
  const difference = units(a) - units(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** a - b. */
export function minus(a: string, b: string): string {
  return decimal(units(a) - units(b));
}

/** By how many hundredths of a percent a differs from b: 123n is +1.23 %. Nothing when b is not above zero. */
export function basisPoints(a: string, b: string): bigint | undefined {
  const base = units(b);
  if (base <= 0n) return undefined;
  const scaled = (units(a) - base) * 100_000n / base;
  // Rounded half away from zero: one digit more than shown was computed.
  return (scaled + (scaled < 0n ? -5n : 5n)) / 10n;
}

/** Hundredths of a percent as `+1.23%`. */
export function showPercent(points: bigint): string {
  const size = points < 0n ? -points : points;
  const sign = points > 0n ? '+' : points < 0n ? '−' : '';
  return `${sign}${size / 100n}.${String(size % 100n).padStart(2, '0')}%`;
}

/** A price for people: digits in groups of three; at least `digits` behind the point. */
export function showPrice(text: string, digits: number): string {
  const [whole = '0', part = ''] = decimal(units(text)).split('.');
  const padded = part.padEnd(digits, '0');
  return group(whole) + (padded ? `.${padded}` : '');
}

/** A difference with its sign. */
export function showDifference(text: string, digits: number): string {
  const value = units(text);
  const size = showPrice(decimal(value < 0n ? -value : value), digits);
  return `${value > 0n ? '+' : value < 0n ? '−' : ''}${size}`;
}

/** Digits behind the point that prices of a market are shown with at least. */
export function digitsOf(market: string): number {
  return market === 'us' ? 2 : 0;
}

/** A whole number in groups of three. */
export function showCount(value: number): string {
  return group(String(Math.trunc(value)));
}

function group(whole: string): string {
  return whole.replace('-', '−').replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A price as a float, for the pixels of the chart and nothing else. */
export function forChart(text: string): number {
  return Number(text);
}
