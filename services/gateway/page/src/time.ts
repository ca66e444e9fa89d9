// Instants in milliseconds → the exchange's wall clock as text.

const ZONES: Record<string, string> = { kr: 'Asia/Seoul', us: 'America/New_York' };
const formats = new Map<string, Intl.DateTimeFormat>();

function format(market: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${market} ${name}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat('en-GB', { timeZone: ZONES[market] ?? 'UTC', hourCycle: 'h23', ...options });
    formats.set(key, made);
  }
  return made;
}

/** `09:00:03`, at the exchange. */
export function clock(ms: number, market: string): string {
  return format(market, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms);
}

/** `09:00`, at the exchange. */
export function minute(ms: number, market: string): string {
  return format(market, 'minute', { hour: '2-digit', minute: '2-digit' }).format(ms);
}

/** `2026-11-25`, at the exchange. */
export function day(ms: number, market: string): string {
  const parts = format(market, 'day', { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(ms);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

/** Nanoseconds since 1970, as a number or a string, in milliseconds. What is neither is undefined. */
export function millis(ns: unknown): number | undefined {
  if (typeof ns === 'number' && Number.isFinite(ns)) return ns / 1e6;
  if (typeof ns === 'string' && /^\d{1,19}$/.test(ns)) return Number(BigInt(ns) / 1000n) / 1000;
  return undefined;
}

/** A stretch of time in few characters: `3s`, `2m 05s`, `1h 04m`, `3d 02h`. */
export function stretch(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two(Math.floor(seconds / 60) % 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${two(Math.floor(seconds / 3600) % 24)}h`;
}

/** A delay: milliseconds below ten seconds, a stretch above. */
export function delay(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : stretch(ms);
}
