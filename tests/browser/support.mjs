// What the browser tests stand on: the gateway as a process of their own, a browser that tells its errors, the simulator's
// own account of what it sent. The rest of the stack is started by scripts/lib/page.sh.

import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests by scripts/lib/page.sh`);
  return value;
};

export const address = `http://${need('SISE__GATEWAY__LISTEN')}`;
const folder = need('SISE_BROWSER_FOLDER');
mkdirSync(`${folder}/screens`, { recursive: true });

/** Waits until something is true, and says what it saw last when it is not. */
export async function until(what, seconds, question) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      last = await question();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`gave up after ${seconds} s: ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
    await pause(100);
  }
}

let gateway;

/** Starts a gateway with these settings beside those of the environment, and waits until it is ready. */
async function start(settings, where) {
  const child = spawn(need('SISE_GATEWAY'), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...settings } });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => appendFileSync(`${folder}/log/gateway.log`, text));
  await until('the gateway is ready', 30, async () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}, see ${folder}/log/gateway.log`);
    return (await fetch(`${where}/readyz`)).ok;
  });
  return child;
}

/** Starts the gateway and waits until it is ready. */
export async function startGateway() {
  gateway = await start({}, address);
}

/** Starts a second gateway that wants a token. Returns its address and how to stop it. */
export async function startLocked(token) {
  const listen = need('SISE_BROWSER_LOCKED');
  const where = `http://${listen}`;
  const child = await start({ SISE__GATEWAY__LISTEN: listen, SISE__GATEWAY__TOKEN: token, SISE__METRICS__GATEWAY: 'off' }, where);
  return { address: where, stop: () => stop(child, 'SIGTERM') };
}

export async function stopGateway(signal = 'SIGTERM') {
  await stop(gateway, signal);
}

async function stop(child, signal) {
  if (!child || child.exitCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await ended;
}

/** Sends a signal to a part of the stack. */
export function signal(part, name) {
  process.kill(Number(need(`SISE_PID_${part.toUpperCase().replaceAll('-', '_')}`)), name);
}

/** Asks the simulator for something. */
export async function control(path, body) {
  const answer = await fetch(`${need('SISE_SIMULATOR_URL')}/control/${path}`, {
    method: 'POST', body: JSON.stringify(body ?? null), headers: { 'content-type': 'application/json' },
  });
  if (!answer.ok) throw new Error(`/control/${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** What the simulator sent, oldest first, of one tape of one symbol. */
export function sent(kind, symbol, tape) {
  const wanted = `"symbol":"${symbol}"`;
  return readFileSync(need('SISE__SIMULATOR__TAPE'), 'utf8').split('\n')
    .filter((line) => line.includes(wanted) && line.startsWith(`{"kind":"${kind}"`))
    .map((line) => JSON.parse(line))
    .filter((event) => event.symbol === symbol && event.tape === tape);
}

let browser;

export async function launch() {
  browser = await chromium.launch({
    executablePath: need('SISE_CHROMIUM'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

export async function closeBrowser() {
  await browser?.close();
}

/** What a browser says by itself when nobody listens at an address; no page can keep it from that. */
/** An interface of this machine came or went, a container's for example: the browser breaks off what is on its way, and the page asks again. */
const CHANGED = /ERR_NETWORK_CHANGED/;
const LOCKED = /status of 401|WebSocket connection to .* failed/;
const REFUSED = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection to .* failed/;

/**
 * A page that is open, with everything that it should not do: `faults`. While `gone` is true a refused connection is none,
 * while `locked` is true a refused token. `before` gets the page before it goes anywhere.
 */
export async function openPage(options = {}) {
  const { preferences, at = address, before, locked = false, ...context } = options;
  const opened = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'ko-KR', colorScheme: 'light', ...context });
  const page = await opened.newPage();
  const watch = { gone: false, locked, faults: [] };
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type()) || CHANGED.test(message.text()) || (watch.gone && REFUSED.test(message.text())) || (watch.locked && LOCKED.test(message.text()))) return;
    watch.faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => watch.faults.push(`uncaught: ${error}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${at}/`)) watch.faults.push(`asks elsewhere: ${request.url()}`);
  });
  if (preferences) {
    await page.addInitScript((text) => localStorage.getItem('sise.preferences.1') ?? localStorage.setItem('sise.preferences.1', text), JSON.stringify(preferences));
  }
  await before?.(page);
  await page.goto(`${at}/`);
  return { page, watch, close: () => opened.close() };
}

export async function screenshot(page, name) {
  await page.screenshot({ path: `${folder}/screens/${name}.png` });
}
