// Brings it together: the link and the questions on one side, the state and what people do on the other.

import { Link } from './link';
import { keepPreferences, MOST_WATCHED, readPreferences, type Preferences } from './preferences';
import { askBars, askDaily, askDays, askGaps, askHealth, askSymbols, Refusal, sortedGaps } from './rest';
import { MINUTE, unitOf, usualSpan } from './state/bars';
import { initial, reduce, spanOf, type Action, type State } from './state/app';
import { nameOf, type Instrument, type Listed } from './state/words';
import { wantedOf } from './wanted';

const HEALTH_MS = 2_000;
const SYMBOLS_MS = 60_000;
const DAYS_MS = 60_000;
const GAPS_MS = 15_000;
/** How often it is looked whether the days of a watched instrument are to be asked for. */
const DAILY_MS = 5_000;
/** The archive is some seconds behind the stream. */
const ARCHIVE_MS = 5_000;
/** How long until an archive that did not answer, or is further behind, is asked again; and how far behind it may be. */
const ARCHIVE_AGAIN_MS = 10_000;
const ARCHIVE_BEHIND_MS = 120_000;
const DAYS = 5;
const TOKEN = 'sise.token';
/** What a token may consist of: a browser sends it as a WebSocket's subprotocol. */
const TOKEN_LETTERS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export class Control {
  state: State = initial(readPreferences());
  private readonly link: Link;
  private archiveTimer: ReturnType<typeof setTimeout> | undefined;
  /** When the days of an instrument were asked for, by name; and whether they are asked for now. */
  private readonly dailyAsked = new Map<string, number>();
  private dailyRuns = false;

  constructor(private readonly changed: () => void) {
    const address = new URL('v1/stream', location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    address.search = address.hash = '';
    this.link = new Link(
      address.href,
      {
        opening: () => this.act({ type: 'opening' }),
        opened: (now) => this.opened(now),
        closed: (why, retryAt) => this.closed(why, retryAt),
        heard: () => this.act({ type: 'heard', at: Date.now() }),
        begun: (purpose) => this.act({ type: 'begun', purpose }),
        items: (purpose, items, skipped) => this.act({ type: 'items', purpose, items, skipped, at: Date.now() }),
        refused: (text) => this.act({ type: 'refused', text, at: Date.now() }),
      },
      token,
    );
  }

  start(): void {
    this.link.want(wantedOf(this.state.preferences));
    this.link.open();
    every(HEALTH_MS, () => this.health());
    every(SYMBOLS_MS, () => this.symbols());
    every(DAYS_MS, () => this.days());
    every(GAPS_MS, () => this.gaps());
    every(DAILY_MS, () => void this.daily());
    addEventListener('online', () => this.connectNow());
    document.addEventListener('visibilitychange', () => document.hidden || this.connectNow());
  }

  connectNow(): void {
    if (!this.state.locked) this.link.hurry();
  }

  /** Tries a token; the right one is kept until the window is closed. */
  giveToken(text: string): void {
    if (!TOKEN_LETTERS.test(text)) {
      this.act({ type: 'locked', locked: 'wrong' });
      return;
    }
    keepToken(text);
    void this.ask(async () => {
      await askHealth(token());
      this.act({ type: 'locked', locked: '' });
      this.link.open();
    });
  }

  prefer(change: Partial<Preferences>): void {
    const before = this.state.preferences;
    const preferences = { ...before, ...change };
    keepPreferences(preferences);
    this.act({ type: 'preferences', preferences });
    this.link.want(wantedOf(preferences));
    const { chosen } = preferences;
    const isOther = chosen && (!before.chosen || nameOf(chosen) !== nameOf(before.chosen));
    if (isOther || !this.state.bars.loaded) this.bars();
    void this.daily();
  }

  choose(chosen: Instrument): void {
    this.prefer({ chosen });
  }

  add(one: Instrument): void {
    const { watch } = this.state.preferences;
    const known = watch.some((other) => nameOf(other) === nameOf(one));
    this.prefer({ watch: known ? watch : [...watch, one].slice(-MOST_WATCHED), chosen: one });
  }

  remove(one: Instrument): void {
    this.prefer({ watch: this.state.preferences.watch.filter((other) => nameOf(other) !== nameOf(one)) });
  }

  private act(action: Action): void {
    const before = this.state.bars.joint;
    this.state = reduce(this.state, action);
    const { joint, unit } = this.state.bars;
    // The archive has the bar in which it meets the stream when that is over, and some seconds more; without such a bar
    // what the stream told last.
    if (joint !== before) this.askArchive(joint === undefined ? ARCHIVE_MS : (joint + unit) * 1000 - this.now() + ARCHIVE_MS);
    this.changed();
  }

  /** The gateway's clock, ms. */
  private now(): number {
    return Date.now() + this.state.link.ahead;
  }

  private opened(now: number | undefined): void {
    this.act({ type: 'opened', now, at: Date.now() });
    this.symbols();
    this.health();
    this.days();
    this.gaps();
    this.bars();
    void this.daily();
  }

  private closed(why: string, retryAt: number): void {
    this.act({ type: 'closed', why, retryAt });
    // A WebSocket does not say that a token is missing; a question does.
    this.health(true);
  }

  private symbols(): void {
    void this.ask(async () => {
      const listed = await askSymbols(token());
      this.act({ type: 'listed', listed });
      const { watch, chosen } = this.state.preferences;
      if (watch.length === 0 && !chosen) this.prefer(firstWatch(listed));
    });
  }

  private health(always = false): void {
    if (!always && this.state.link.phase !== 'open') return;
    void this.ask(async () => {
      this.act({ type: 'health', ...(await askHealth(token())), at: Date.now() });
    });
  }

  private days(): void {
    if (this.state.link.phase !== 'open') return;
    void this.ask(async () => {
      const days = await Promise.all([askDays('kr', DAYS, token()), askDays('us', DAYS, token())]);
      this.act({ type: 'days', days: days.flat(), problem: '' });
    }, (problem) => this.act({ type: 'days', days: [], problem }));
  }

  private gaps(): void {
    if (this.state.link.phase !== 'open') return;
    void this.ask(async () => {
      const gaps = await Promise.all([askGaps('kr', token()), askGaps('us', token())]);
      this.act({ type: 'gaps', gaps: sortedGaps(gaps.flat()), problem: '' });
    }, (problem) => this.act({ type: 'gaps', gaps: [], problem }));
  }

  private bars(): void {
    const instrument = this.state.preferences.chosen;
    if (!instrument || this.state.link.phase !== 'open') return;
    const unit = unitOf(spanOf(this.state));
    // Of a market that is closed the last hour is that before its last trade.
    const now = this.state.quotes[nameOf(instrument)]?.at ?? this.now();
    void this.ask(
      async () => {
        const bars = await askBars(instrument, unit, now, token());
        if (this.isYoung(instrument, unit, bars.length)) return;
        this.act({ type: 'archive', instrument, unit, bars });
        if (this.isBehind()) this.askArchive(ARCHIVE_AGAIN_MS);
      },
      (problem) => {
        if (this.isYoung(instrument, unit, 0)) return;
        this.act({ type: 'archive failed', instrument, problem });
        this.askArchive(ARCHIVE_AGAIN_MS);
      },
    );
  }

  /** Whether there are so few minutes that narrower bars are shown, where nobody has chosen how wide they are; asks for those. */
  private isYoung(instrument: Instrument, unit: number, minutes: number): boolean {
    const { preferences, span, bars } = this.state;
    const usual = usualSpan(minutes);
    const isFirst = unit === MINUTE && span === MINUTE && preferences.span === 0 && !bars.loaded;
    if (!isFirst || usual === MINUTE || !preferences.chosen || nameOf(instrument) !== nameOf(preferences.chosen)) return false;
    this.act({ type: 'span', span: usual });
    this.bars();
    return true;
  }

  /** Whether the bar in which the archive meets the stream is over, of late, and the archive does not tell what is after it. */
  private isBehind(): boolean {
    const { archive, joint, unit } = this.state.bars;
    if (joint === undefined || (archive.at(-1)?.start ?? 0) > joint) return false;
    const over = this.now() - (joint + unit) * 1000;
    return over >= 0 && over < ARCHIVE_BEHIND_MS;
  }

  /** Asks for the days of what is watched and shown, one after another: what is not known, or of another day than its trades. */
  private async daily(): Promise<void> {
    if (this.dailyRuns || this.state.link.phase !== 'open') return;
    this.dailyRuns = true;
    try {
      await this.dailyOfAll();
    } finally {
      this.dailyRuns = false;
    }
  }

  private async dailyOfAll(): Promise<void> {
    const { watch, chosen } = this.state.preferences;
    for (const instrument of [...(chosen ? [chosen] : []), ...watch]) {
      const name = nameOf(instrument);
      const known = this.state.daily[name];
      const quote = this.state.quotes[name];
      const isDue = Date.now() - (this.dailyAsked.get(name) ?? 0) > ARCHIVE_AGAIN_MS;
      if (!isDue || (known && (!quote || quote.date <= known.date))) continue;
      this.dailyAsked.set(name, Date.now());
      await this.ask(async () => this.act({ type: 'daily', instrument, daily: await askDaily(instrument, this.now(), token()) }));
    }
  }

  /** Asks the archive for the chosen instrument's bars after a while; of two plans the later one counts. */
  private askArchive(ms: number): void {
    clearTimeout(this.archiveTimer);
    this.archiveTimer = setTimeout(() => this.bars(), Math.max(0, ms));
  }

  /** Without the right token nothing is tried again until a person gives one. */
  private lock(): void {
    this.link.rest();
    if (this.state.link.phase !== 'waiting') this.act({ type: 'closed', why: '', retryAt: 0 });
    this.act({ type: 'locked', locked: token() === '' ? 'ask' : 'wrong' });
  }

  private async ask(question: () => Promise<void>, failed: (problem: string) => void = () => undefined): Promise<void> {
    try {
      await question();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) this.lock();
      failed(error.message);
    }
  }
}

/** A page that is opened for the first time shows something: the first symbols of the universe. */
function firstWatch(listed: readonly Listed[]): Partial<Preferences> {
  const watch = listed.slice(0, 12).map(({ market, symbol, tapes }) => ({ market, symbol, tape: tapes[0] ?? '' }));
  const [chosen] = watch;
  return chosen ? { watch, chosen } : {};
}

let given = '';

function token(): string {
  try {
    return sessionStorage.getItem(TOKEN) ?? given;
  } catch {
    return given;
  }
}

function keepToken(text: string): void {
  given = text;
  try {
    sessionStorage.setItem(TOKEN, text);
  } catch {
    // Without storage it holds until the page is loaded anew.
  }
}

/** Again and again while somebody looks. */
function every(ms: number, what: () => void): void {
  setInterval(() => document.hidden || what(), ms);
}
