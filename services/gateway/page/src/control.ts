// Brings it together: the link and the questions on one side, the state and what people do on the other.

import { Link } from './link';
import { keepPreferences, MOST_WATCHED, readPreferences, type Preferences } from './preferences';
import { askBars, askDays, askHealth, askSymbols, Refusal } from './rest';
import { MINUTE } from './state/bars';
import { initial, reduce, type Action, type State } from './state/app';
import { nameOf, type Instrument, type Listed } from './state/words';
import { wantedOf } from './wanted';

const HEALTH_MS = 2_000;
const SYMBOLS_MS = 60_000;
const DAYS_MS = 60_000;
/** The archive is some seconds behind the stream. */
const ARCHIVE_MS = 5_000;
/** How long until an archive that did not answer is asked again. */
const ARCHIVE_AGAIN_MS = 10_000;
const DAYS = 5;
const TOKEN = 'sise.token';

export class Control {
  state: State = initial(readPreferences());
  private readonly link: Link;
  private archiveTimer: ReturnType<typeof setTimeout> | undefined;

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
        items: (purpose, items, skipped) => this.items({ type: 'items', purpose, items, skipped, at: Date.now() }),
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
    addEventListener('online', () => this.link.hurry());
    document.addEventListener('visibilitychange', () => document.hidden || this.link.hurry());
  }

  connectNow(): void {
    this.link.hurry();
  }

  giveToken(text: string): void {
    sessionStorage.setItem(TOKEN, text);
    this.act({ type: 'locked', locked: false });
    this.link.open();
  }

  prefer(change: Partial<Preferences>): void {
    const before = this.state.preferences;
    const preferences = { ...before, ...change };
    keepPreferences(preferences);
    this.act({ type: 'preferences', preferences });
    this.link.want(wantedOf(preferences));
    const { chosen } = preferences;
    if (chosen && (!before.chosen || nameOf(chosen) !== nameOf(before.chosen))) this.bars();
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
    this.state = reduce(this.state, action);
    this.changed();
  }

  private items(action: Action & { type: 'items' }): void {
    const before = this.state.bars.joint;
    this.act(action);
    const { joint } = this.state.bars;
    // The archive has the minute in which it meets the stream when that is over, and some seconds more.
    if (joint !== undefined && joint !== before) this.askArchive((joint + MINUTE) * 1000 - this.state.link.ahead - Date.now() + ARCHIVE_MS);
  }

  private opened(now: number | undefined): void {
    this.act({ type: 'opened', now, at: Date.now() });
    this.symbols();
    this.health();
    this.days();
    this.bars();
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

  private bars(): void {
    const instrument = this.state.preferences.chosen;
    if (!instrument || this.state.link.phase !== 'open') return;
    void this.ask(
      async () => this.act({ type: 'archive', instrument, bars: await askBars(instrument, token()) }),
      (problem) => {
        this.act({ type: 'archive failed', instrument, problem });
        this.askArchive(ARCHIVE_AGAIN_MS);
      },
    );
  }

  /** Asks the archive for the chosen instrument's bars after a while; of two plans the later one counts. */
  private askArchive(ms: number): void {
    clearTimeout(this.archiveTimer);
    this.archiveTimer = setTimeout(() => this.bars(), Math.max(0, ms));
  }

  private async ask(question: () => Promise<void>, failed: (problem: string) => void = () => undefined): Promise<void> {
    try {
      await question();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) this.act({ type: 'locked', locked: true });
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

function token(): string {
  return sessionStorage.getItem(TOKEN) ?? '';
}

/** Again and again while somebody looks. */
function every(ms: number, what: () => void): void {
  setInterval(() => document.hidden || what(), ms);
}
