import { describe, expect, it } from 'vitest';
import { basisPoints, compare, decimal, isDecimal, minus, showCount, showDifference, showPercent, showPrice, units } from '../src/decimal';

describe('prices are decimal strings', () => {
  it('become units of 10^-4 and back', () => {
    expect(units('70000')).toBe(700_000_000n);
    expect(units('-0.5')).toBe(-5_000n);
    expect(decimal(1_697_850n)).toBe('169.785');
    expect(decimal(-5_000n)).toBe('-0.5');
    expect(decimal(0n)).toBe('0');
  });

  it('keep what a float would lose', () => {
    expect(minus('900719925474099.3', '900719925474099.1')).toBe('0.2');
    expect(minus('0.3', '0.1')).toBe('0.2');
  });

  it('are compared as numbers, not as texts', () => {
    expect(compare('9000', '10000')).toBe(-1);
    expect(compare('70000.0', '70000')).toBe(0);
    expect(compare('169.79', '169.785')).toBe(1);
  });

  it('refuse what is no price', () => {
    for (const text of ['', '1e5', '70,000', 'NaN', '1.23456', '.5']) expect(isDecimal(text)).toBe(false);
    expect(() => units('x')).toThrow(RangeError);
  });

  it('are shown in groups, with the digits of the market', () => {
    expect(showPrice('1234500', 0)).toBe('1,234,500');
    expect(showPrice('169.785', 2)).toBe('169.785');
    expect(showPrice('169.5', 2)).toBe('169.50');
    expect(showDifference('-1500', 0)).toBe('−1,500');
    expect(showDifference('0.25', 2)).toBe('+0.25');
    expect(showCount(12_345_678)).toBe('12,345,678');
  });

  it('differ by hundredths of a percent, rounded', () => {
    expect(basisPoints('70700', '70000')).toBe(100n);
    expect(basisPoints('69999', '70000')).toBe(0n);
    expect(basisPoints('66666', '70000')).toBe(-476n);
    expect(basisPoints('1', '0')).toBeUndefined();
    expect(showPercent(-476n)).toBe('−4.76%');
    expect(showPercent(5n)).toBe('+0.05%');
  });
});
