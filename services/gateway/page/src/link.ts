// The WebSocket to the gateway: opens it again by itself, notices silence, keeps the wanted subscriptions standing.

import { backoff } from './backoff';
import { parseMessage, type Item, type Message } from './wire';
import type { Purpose, Request } from './wanted';

/** Heartbeats that may stay out before the connection counts as dead. */
const HEARTBEATS = 3;
/** How long opening may take, and the answer to it. */
const OPENING_MS = 8_000;
/** The browser's code for a connection that ended without a word: there is nothing to tell. */
const NO_CLOSE = 1006;
/** After so long a connection counts as a good one, and the waits begin anew. */
const STEADY_MS = 10_000;

export interface Listener {
  opening(): void;
  opened(now: number | undefined): void;
  /** Closed or never opened; the next try is at `retryAt` (ms, this machine's clock). */
  closed(why: string, retryAt: number): void;
  heard(): void;
  /** A subscription begins anew: what was known of its purpose is void. */
  begun(purpose: Purpose): void;
  items(purpose: Purpose, items: readonly Item[], skipped: number): void;
  refused(text: string): void;
}

interface Standing {
  readonly request: string;
  readonly id: string;
  subscription: number | undefined;
}

export class Link {
  private socket: WebSocket | undefined;
  private greeted = false;
  private greetedAt = 0;
  private attempt = 0;
  private counter = 0;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private heartbeatMs = 5_000;
  private why = '';
  private wanted: ReadonlyMap<Purpose, Request> = new Map();
  private standing = new Map<Purpose, Standing>();

  constructor(
    private readonly address: string,
    private readonly listener: Listener,
    private readonly token: () => string,
  ) {}

  /** Opens now, whatever was planned. */
  open(): void {
    clearTimeout(this.retry);
    this.drop();
    this.listener.opening();
    const token = this.token();
    const socket = new WebSocket(this.address, token ? ['sise.v1', `bearer.${token}`] : ['sise.v1']);
    this.socket = socket;
    this.why = '';
    this.watch(OPENING_MS);
    socket.onmessage = (event) => this.message(String(event.data));
    socket.onclose = (event) => this.lost(event.reason || this.why || (event.code === NO_CLOSE ? '' : `code ${event.code}`));
  }

  /** Opens now if it waits for its next try. */
  hurry(): void {
    if (!this.socket) this.open();
  }

  /** Opens no more until it is told to. */
  rest(): void {
    clearTimeout(this.retry);
    this.drop();
  }

  /** What is to be subscribed from now on. */
  want(wanted: ReadonlyMap<Purpose, Request>): void {
    this.wanted = wanted;
    if (this.greeted) this.settle();
  }

  private message(text: string): void {
    this.watch(this.heartbeatMs * HEARTBEATS);
    let message: Message | undefined;
    try {
      message = parseMessage(text);
    } catch (error) {
      this.listener.refused(`unreadable message: ${error instanceof Error ? error.message : 'not JSON'}`);
      return;
    }
    this.listener.heard();
    if (message) this.take(message);
  }

  private take(message: Message): void {
    switch (message.type) {
      case 'hello':
        this.greeted = true;
        this.greetedAt = Date.now();
        this.heartbeatMs = message.heartbeat;
        this.watch(this.heartbeatMs * HEARTBEATS);
        this.listener.opened(message.now);
        this.settle();
        break;
      case 'subscribed':
        this.subscribed(message.id, message.subscription);
        break;
      case 'items': {
        const purpose = this.purposeOf(message.subscription);
        if (!purpose) break;
        if (message.snapshot && message.skipped > 0) this.listener.begun(purpose);
        this.listener.items(purpose, message.items, message.skipped);
        break;
      }
      case 'error':
        this.listener.refused(message.text);
        break;
      case 'closing':
        this.why = message.reason;
        break;
      case 'heartbeat':
        break;
    }
  }

  /** The answer: only the newest question of a purpose counts, what an older one opened is closed. */
  private subscribed(id: string, subscription: number): void {
    for (const [purpose, one] of this.standing) {
      if (one.id !== id) continue;
      one.subscription = subscription;
      this.listener.begun(purpose);
      return;
    }
    this.send({ op: 'unsubscribe', subscription });
  }

  private purposeOf(subscription: number): Purpose | undefined {
    for (const [purpose, one] of this.standing) if (one.subscription === subscription) return purpose;
    return undefined;
  }

  /** Makes what stands what is wanted. */
  private settle(): void {
    for (const [purpose, one] of [...this.standing]) {
      const request = this.wanted.get(purpose);
      if (request && JSON.stringify(request) === one.request) continue;
      this.standing.delete(purpose);
      if (one.subscription !== undefined) this.send({ op: 'unsubscribe', subscription: one.subscription });
    }
    for (const [purpose, request] of this.wanted) {
      if (this.standing.has(purpose)) continue;
      this.counter += 1;
      const id = String(this.counter);
      this.standing.set(purpose, { request: JSON.stringify(request), id, subscription: undefined });
      this.send({ op: 'subscribe', id, ...request });
    }
  }

  private send(value: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value));
  }

  /** Within so many milliseconds something has to be heard. */
  private watch(ms: number): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(`nothing heard for ${Math.round(ms / 1000)} s`), ms);
  }

  private lost(why: string): void {
    // A gateway that greets and hangs up at once is not asked twice a second.
    if (this.greeted && Date.now() - this.greetedAt > STEADY_MS) this.attempt = 0;
    this.drop();
    this.attempt += 1;
    const wait = backoff(this.attempt, Math.random());
    this.retry = setTimeout(() => this.open(), wait);
    this.listener.closed(why, Date.now() + wait);
  }

  private drop(): void {
    clearTimeout(this.silence);
    this.greeted = false;
    this.standing.clear();
    const socket = this.socket;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
