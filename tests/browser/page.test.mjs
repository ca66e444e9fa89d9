// The live page in Chromium against the real stack: what it shows is what the simulator sent, and it stays honest when the
// gateway or a broker goes away. Screenshots stand in the run's folder, for a person to look at.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { address, closeBrowser, control, launch, openPage, screenshot, sent, signal, startGateway, startLocked, stopGateway, until } from './support.mjs';

const SAMSUNG = { market: 'kr', symbol: '005930', tape: 'krx' };
const PREFERENCES = {
  watch: [SAMSUNG, { market: 'kr', symbol: '000660', tape: 'krx' }, { market: 'kr', symbol: '005380', tape: 'krx' }, { market: 'us', symbol: 'AAPL', tape: 'us' }],
  chosen: SAMSUNG,
};
const SIDES = { buy: '매수 체결', sell: '매도 체결', none: '구분 없음', unspecified: '구분 없음' };

before(async () => {
  await startGateway();
  await launch();
});

/** A test that failed where it had stopped something takes no other along. */
afterEach(async () => {
  signal('archiver', 'SIGCONT');
  await control('start');
});

after(async () => {
  await closeBrowser();
  await stopGateway();
});

const plain = (text) => text.replaceAll(',', '').trim();
const bars = async (page) => Number(await page.locator('[data-test=chart]').getAttribute('data-bars'));
/** A tab under the chart. */
const tab = (page, name) => page.getByRole('tab', { name });
const live = (page) => page.locator('.pill.open').waitFor({ timeout: 15_000 });
const rowsOf = (page) => page.locator('.tape tbody tr:not(.unseen)').evaluateAll((rows) => rows.map((row) => {
  const [time, price, quantity] = [...row.cells].map((cell) => cell.firstChild?.textContent ?? '');
  return { time, price, quantity, side: row.cells[2].title };
}));
/** The ladder by broker: `[price, shares]`, the best first. */
const ladderOf = (page, side, column) => page.locator(`.ladder .${side} tr`).evaluateAll((rows, place) => rows
  .map((row) => [row.cells[1].textContent, row.cells[place].textContent])
  .filter(([price, quantity]) => price !== '' && quantity !== ''), column === 'kis' ? 0 : 2)
  .then((rows) => rows.map(([price, quantity]) => [plain(price), Number(plain(quantity))]))
  .then((rows) => (side === 'asks' ? rows.reverse() : rows));

/** Bars that the archive tells only when it is let, and what it was asked. */
function held() {
  let answer = () => undefined;
  const asked = [];
  const allowed = new Promise((done) => { answer = done; });
  const hold = (page) => page.route('**/v1/bars*', async (route) => { asked.push(route.request().url()); await allowed; await route.continue(); });
  return { asked, answer: () => answer(), hold };
}

/** The chart's pixels, read from a copy: reading a canvas that is being drawn makes the browser warn. */
const pixels = (page) => page.evaluate(() => {
  const canvas = document.querySelector('.drawing canvas');
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height }).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const style = getComputedStyle(document.documentElement);
  const wanted = ['--up', '--down'].map((name) => Number.parseInt(style.getPropertyValue(name).trim().slice(1), 16));
  let candles = 0;
  for (let at = 0; at < data.length; at += 4) if (wanted.includes((data[at] << 16) | (data[at + 1] << 8) | data[at + 2])) candles += 1;
  // What is behind: of a square in the corner the commonest colour, for lines of the grid may cross it either way.
  const found = new Map();
  for (let one = 0; one < 24 * 24; one += 1) {
    const at = 4 * ((1 + Math.floor(one / 24)) * canvas.width + 1 + (one % 24));
    const name = [...data.slice(at, at + 3)].join();
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  const [[back]] = [...found].sort((a, b) => b[1] - a[1]);
  return { back: back.split(',').map(Number), candles };
});

test('the last price, the ladder and the tape are what the simulator sent', async () => {
  // The archive answers when no trade comes any more, and lacks the last ones: what the stream told is in the chart.
  const archive = held();
  const { page, watch, close } = await openPage({ preferences: PREFERENCES, before: archive.hold });
  await live(page);
  await until('twenty trades', 30, async () => (await rowsOf(page)).length > 20);
  signal('archiver', 'SIGSTOP');
  const [archived] = await rowsOf(page);
  await until('trades that the archive lacks', 30, async () => (await rowsOf(page)).slice(5).some((row) => isDeepStrictEqual(row, archived)));
  await control('stop');
  archive.answer();
  const trades = new Map(sent('trade', '005930', 'krx').map((trade) => [trade.cumulative_volume, trade]));
  const newest = [...trades.values()].sort((a, b) => b.cumulative_volume - a.cumulative_volume).slice(0, 20);
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Seoul', timeStyle: 'medium' });
  const wanted = newest.map((trade) => ({
    time: clock.format(trade.exchange_ns / 1e6), price: trade.price, quantity: String(trade.quantity), side: SIDES[trade.aggressor_side],
  }));
  await until('the last price', 10, async () => plain(await page.locator('[data-test=last]').innerText()) === wanted[0].price);
  const rows = (await rowsOf(page)).slice(0, 20).map((row) => ({ ...row, price: plain(row.price), quantity: plain(row.quantity) }));
  assert.deepEqual(rows, wanted);
  for (const source of ['kis', 'kiwoom']) {
    const book = sent('order_book', '005930', 'krx').filter((event) => event.source === source).at(-1);
    assert.ok(book, `the simulator sent no book of ${source}`);
    // Ten prices a side are shown, of both brokers together: those of a broker that lie further out are not.
    for (const [side, levels] of [['asks', book.asks], ['bids', book.bids]]) {
      const shown = await ladderOf(page, side, source);
      assert.ok(shown.length >= 5, `${shown.length} ${side} of ${source}`);
      assert.deepEqual(shown, levels.slice(0, shown.length), `${side} of ${source}`);
    }
  }
  const chart = page.locator('[data-test=chart]');
  await until('the chart ends at the last price', 30, async () => plain(await chart.getAttribute('data-close') ?? '') === wanted[0].price);
  // The archive's bars and the stream's hold every share once: they meet in a bar that the archive tells when it is over,
  // and that it is asked for again while it is behind.
  await until('it is asked again', 30, () => archive.asked.filter((url) => url.includes('interval=1s')).length > 1);
  signal('archiver', 'SIGCONT');
  const volume = [...trades.values()].reduce((sum, trade) => sum + trade.quantity, 0);
  await until(`${volume} shares in the chart`, 80, async () => {
    const shown = Number(await chart.getAttribute('data-volume'));
    assert.ok(shown <= volume, `${shown} of ${volume} shares`);
    return shown === volume;
  });
  assert.deepEqual(watch.faults, []);
  await close();
});

test('every feed is shown with its links, its rate and its delay', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  for (const feed of ['kr-kis', 'kr-kiwoom', 'us-kis']) {
    const row = page.locator(`[data-test=feed-${feed}]`);
    await until(`${feed} is alive`, 20, async () => (await row.locator('.verdict').innerText()).startsWith('정상'));
    await until(`${feed} has a delay`, 20, async () => /\d+ ms/.test(await row.innerText()));
    assert.match(await row.innerText(), /1\/1/);
  }
  await until('no day, or its completeness', 20, async () => (await page.locator('.days tbody tr').count()) > 0);
  assert.equal(await page.locator('.days .warn.note').count(), 0, 'completeness could be read');
  assert.deepEqual(watch.faults, []);
  await close();
});

test('Korean and English, dark and light, red up and green up', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, watch, close } = await openPage({ preferences: PREFERENCES, colorScheme });
    await live(page);
    await until('a full screen', 30, async () => (await rowsOf(page)).length > 25 && (await bars(page)) > 5);
    await screenshot(page, `desktop-${colorScheme}`);
    const colour = (name) => page.evaluate((one) => getComputedStyle(document.documentElement).getPropertyValue(one).trim(), name);
    const back = await page.evaluate(() => getComputedStyle(document.querySelector('.panel')).backgroundColor);
    assert.equal(back, colorScheme === 'dark' ? 'rgb(20, 24, 29)' : 'rgb(255, 255, 255)');
    assert.equal(await colour('--up'), colorScheme === 'dark' ? '#f26c75' : '#cf2a39');
    await page.getByRole('button', { name: '등락 색' }).click();
    await until('green is up', 5, async () => (await colour('--up')) === (colorScheme === 'dark' ? '#45bd8e' : '#0e7c53'));
    const [green, red] = colorScheme === 'dark' ? ['rgb(69, 189, 142)', 'rgb(242, 108, 117)'] : ['rgb(14, 124, 83)', 'rgb(198, 43, 58)'];
    for (const [side, wanted] of [['매수 체결', green], ['매도 체결', red]]) {
      const cell = page.locator(`.tape td.size[title='${side}']`).first();
      await until(`${side} in its colour`, 10, async () => (await cell.evaluate((one) => getComputedStyle(one).color)) === wanted);
    }
    await until('candles in green and red', 10, async () => (await pixels(page)).candles > 60);
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Order book' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    await page.getByRole('button', { name: 'Merged' }).click();
    await until('the merged book says whose it is', 10, async () => /KIS|Kiwoom/.test(await page.locator('[data-test=book-merged]').innerText()));
    // The system's theme is overruled, and everything is remembered.
    await page.getByRole('button', { name: 'Theme' }).click();
    if (colorScheme === 'light') await page.getByRole('button', { name: 'Theme' }).click();
    await page.reload();
    await live(page);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme === 'light' ? 'dark' : 'light');
    await until('merged still', 5, async () => (await page.locator('[data-test=book-merged]').count()) === 1);
    await until('a chart', 20, async () => Number(await page.locator('[data-test=chart]').getAttribute('data-bars')) > 0);
    // The chart has the colours of the page: panel behind, up and down as chosen.
    await until('candles in the chosen colours', 10, async () => (await pixels(page)).candles > 60);
    assert.deepEqual((await pixels(page)).back, colorScheme === 'light' ? [20, 24, 29] : [255, 255, 255]);
    await screenshot(page, `desktop-${colorScheme}-switched`);
    assert.deepEqual(watch.faults, []);
    await close();
  }
});

test('everything by the keyboard: search, add, choose, remove', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  const names = () => page.locator('.watch .row .where').allInnerTexts().then((texts) => texts.length);
  await until('the watch list', 10, async () => (await names()) === 4);
  // The universe has to be there before it can be searched.
  await until('a hit', 15, async () => {
    await page.keyboard.press('Escape');
    await page.locator('.tape .scroll').focus();
    await page.keyboard.press('/');
    await page.keyboard.type('035420');
    return (await page.getByRole('option').count()) > 0;
  });
  await page.keyboard.press('Enter');
  await until('it is added', 5, async () => (await names()) === 5);
  const current = page.locator('.watch .row[aria-current=true]');
  assert.match(await current.innerText(), /035420|NAVER/);
  await current.focus();
  assert.notEqual(await current.evaluate((row) => getComputedStyle(row).outlineStyle), 'none');
  await page.keyboard.press('Delete');
  await until('it is removed', 5, async () => (await names()) === 4);
  await page.locator('.watch .row').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await until('the second is chosen', 5, async () => /000660/.test(await page.locator('.watch .row[aria-current=true]').innerText()));
  // Tabs move by the arrows, and around.
  await tab(page, '완전성').focus();
  for (const name of ['오늘 공백', '사건', '완전성', '사건']) {
    await page.keyboard.press(name === '사건' && (await tab(page, '완전성').getAttribute('aria-selected')) === 'true' ? 'ArrowLeft' : 'ArrowRight');
    await until(`${name} is shown`, 5, async () => (await tab(page, name).getAttribute('aria-selected')) === 'true' && tab(page, name).evaluate((one) => one === document.activeElement));
  }
  // Each part has a name, each control is a button or a field.
  for (const name of ['관심 종목', '차트', '호가', '체결', '시세 상태']) await page.getByRole('heading', { name, exact: true }).waitFor({ state: 'attached' });
  assert.deepEqual(watch.faults, []);
  await close();
});

test('Tab reaches everything once, shows where it is, and leaves the page again', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  await until('the feeds', 20, async () => (await page.locator('.feeds tbody tr').count()) === 3);
  // What can be reached: whatever is seen and takes the focus, but for tabs and the like that the arrows reach.
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll('a[href], button, input, [tabindex]')];
    const reachable = all.filter((one) => one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true }));
    for (const [place, one] of reachable.entries()) one.dataset.reach = String(place);
    return reachable.length;
  });
  assert.ok(wanted > 25, `${wanted} places`);
  await page.locator('.skip').focus();
  assert.ok(await page.locator('.skip').evaluate((one) => one.getBoundingClientRect().top >= 0), 'the way past is seen when it is reached');
  const reached = new Set();
  for (let step = 0; step < wanted + 10; step += 1) {
    const { reach, outline } = await page.evaluate(() => {
      const one = document.activeElement;
      return { reach: one?.dataset.reach, outline: one ? getComputedStyle(one).outlineStyle : 'none' };
    });
    if (reach !== undefined) reached.add(reach);
    if (reach !== undefined && reach !== '0') assert.notEqual(outline, 'none', `the focus is seen at ${reach}`);
    await page.keyboard.press('Tab');
  }
  const missed = await page.evaluate((found) => [...document.querySelectorAll('[data-reach]')].filter((one) => !found.includes(one.dataset.reach)).map((one) => one.outerHTML.slice(0, 80)), [...reached]);
  assert.deepEqual(missed, []);
  await page.locator('.skip').focus();
  await page.keyboard.press('Enter');
  await until('the book has the focus', 5, () => page.evaluate(() => document.activeElement?.id === 'book'));
  assert.deepEqual(watch.faults, []);
  await close();
});

test('names where the symbols file has them, codes alone where it has none', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  const rows = page.locator('.watch .row');
  await until('the name', 15, async () => /^삼성전자/.test(await rows.nth(0).innerText()));
  assert.match(await rows.nth(0).innerText(), /005930 KRX/);
  assert.match(await rows.nth(3).innerText(), /^AAPL/);
  await until('what it did since the first trade', 20, async () => /[+−]?\d+\.\d\d%/.test(await rows.nth(0).innerText()));
  assert.match(await page.locator('[data-test=change]').innerText(), /시가 대비|종가 대비/);
  assert.equal(plain(await page.locator('.head > h2').innerText()).replace(/\s+/g, ' '), '삼성전자 005930');
  assert.deepEqual(watch.faults, []);
  await close();
});

test('until the archive answers the chart says that it loads, and never that there is nothing', async () => {
  const archive = held();
  const { page, watch, close } = await openPage({ preferences: PREFERENCES, before: archive.hold });
  await live(page);
  await until('trades', 20, async () => (await rowsOf(page)).length > 5);
  assert.match(await page.locator('.chart .loading').innerText(), /봉을 불러오는 중/);
  assert.equal(await page.locator('.chart .note').count(), 0);
  await screenshot(page, 'desktop-loading');
  archive.answer();
  await until('the bars', 20, async () => (await bars(page)) > 0 && (await page.locator('.chart .loading').count()) === 0);
  assert.deepEqual(watch.faults, []);
  await close();
});

test('a gateway that wants a token: the page asks for it, says when it is wrong, and opens', async () => {
  const locked = await startLocked('open-sesame');
  try {
    const { page, watch, close } = await openPage({ preferences: PREFERENCES, at: locked.address, locked: true });
    const form = page.locator('.door form');
    await form.waitFor({ timeout: 15_000 });
    await until('the field has the focus', 5, () => page.evaluate(() => document.activeElement?.getAttribute('type') === 'password'));
    assert.equal(await page.locator('.lost').count(), 0, 'one thing is said at a time');
    await screenshot(page, 'desktop-token');
    // Nothing behind the door can be reached.
    for (let step = 0; step < 8; step += 1) {
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement?.closest('main, nav, .skip') ?? null), null);
    }
    await page.getByLabel('접속 토큰').fill('wrong');
    await page.keyboard.press('Enter');
    await until('it is said to be wrong', 10, async () => /맞지 않는 토큰/.test(await form.innerText()));
    // What no token can be is wrong as well.
    await page.getByLabel('접속 토큰').fill('열려라 참깨');
    await page.keyboard.press('Enter');
    await until('it is still wrong', 10, async () => /맞지 않는 토큰/.test(await form.innerText()));
    await page.getByLabel('접속 토큰').fill('open-sesame');
    await page.getByRole('button', { name: '들어가기' }).click();
    await live(page);
    await until('the door is gone', 10, async () => (await form.count()) === 0);
    await until('trades, bars and feeds', 30, async () => (await rowsOf(page)).length > 5 && (await bars(page)) > 0 && (await page.locator('.feeds tbody tr').count()) === 3);
    watch.locked = false;
    // The window remembers it, the machine does not.
    await page.reload();
    await live(page);
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('sesame')), false);
    assert.deepEqual(watch.faults, []);
    await close();
  } finally {
    await locked.stop();
  }
});

test('on a phone of 360 pixels nothing is cut off', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, watch, close } = await openPage({ preferences: PREFERENCES, colorScheme, viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
    await live(page);
    await until('trades', 20, async () => (await rowsOf(page)).length > 5);
    for (const [place, name] of ['watch', 'chart', 'book', 'feeds'].entries()) {
      await page.locator('nav.panels button').nth(place).tap();
      await until(`${name} is seen`, 5, () => page.locator(`.panel.${name}`).isVisible());
      if (name === 'chart') await until('a drawn candle', 10, async () => (await pixels(page)).candles > 60);
      await until('a drawn frame', 5, () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))));
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, name);
      await screenshot(page, `phone-${colorScheme}-${name}`);
    }
    assert.deepEqual(watch.faults, []);
    await close();
  }
});

/** The gaps that the gateway tells. */
const gapsTold = async () => {
  const of = async (market) => (await (await fetch(`${address}/v1/gaps?market=${market}`)).json()).gaps;
  return [...(await of('kr')), ...(await of('us'))];
};
const tookOver = async () => (await gapsTold()).some((gap) => gap.reason === 'failover');

test('a broker that is heard no more is greyed out and named, the other goes on, and it comes back', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  const heading = (source) => page.locator(`[data-test=book-${source}]`);
  await until('both books', 20, async () => /\d\d:\d\d:\d\d/.test(await heading('kis').innerText()) && /\d\d:\d\d:\d\d/.test(await heading('kiwoom').innerText()));
  signal('kiwoom-service', 'SIGSTOP');
  try {
    await until('Kiwoom is stale', 30, async () => /멈춤 \d\d:\d\d:\d\d/.test(await heading('kiwoom').innerText()));
    await until('its feed is told', 10, async () => /모름|끊김/.test(await page.locator('[data-test=feed-kr-kiwoom] .verdict').innerText()));
    assert.match(await page.locator('.book .note.warn').innerText(), /키움.*끊겼습니다 \(\d\d:\d\d:\d\d/);
    assert.match(await heading('kiwoom').evaluate((one) => getComputedStyle(one).filter), /grayscale/);
    assert.equal(await heading('kis').evaluate((one) => getComputedStyle(one).filter), 'none');
    const first = await page.locator('.tape tbody tr').first().innerText();
    await until('trades go on', 10, async () => (await page.locator('.tape tbody tr').first().innerText()) !== first);
    await tab(page, '사건').click();
    await until('its end stands among the events', 5, async () => /키움/.test(await page.locator('.happenings li').allInnerTexts().then((all) => all.join())));
    await screenshot(page, 'desktop-dead-broker');
    await until('the other broker has taken over', 60, tookOver);
  } finally {
    signal('kiwoom-service', 'SIGCONT');
  }
  await until('Kiwoom is back', 60, async () => /\d\d:\d\d:\d\d/.test(await heading('kiwoom').innerText()) && !/멈춤/.test(await heading('kiwoom').innerText()));
  assert.deepEqual(watch.faults, []);
  await close();
});

test('gaps of the day are listed as the gateway tells them: what, where, why, and whether they are closed', async () => {
  // The one before left some: another broker took over.
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  await tab(page, '오늘 공백').click();
  await until('gaps in the archive', 60, tookOver);
  const shown = page.locator('[data-test=gap]');
  await until('as many as the gateway tells, with their words', 90, async () => {
    const gaps = await gapsTold();
    const rows = await shown.evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
    const count = (list, wanted) => list.filter((one) => one === wanted).length;
    assert.equal(rows.length, Math.min(200, gaps.length));
    const words = gaps.map((gap) => (gap.is_open ? (gap.residue ?? undefined) === undefined ? '열림' : '남음' : '닫힘'));
    for (const word of ['열림', '남음', '닫힘']) assert.equal(count(rows.map((row) => row[0]), word), count(words, word), word);
    assert.equal(count(rows.map((row) => row[3]), '담당 교체'), gaps.filter((gap) => gap.reason === 'failover').length);
    return true;
  });
  for (const row of await shown.allInnerTexts()) assert.match(row.replace(/\s+/g, ' '), /\d\d:\d\d:\d\d – .*\(.+\)/);
  await until('candles', 10, async () => (await pixels(page)).candles > 60);
  await screenshot(page, 'desktop-gaps');
  assert.deepEqual(watch.faults, []);
  await close();
});

test('a market that nobody tells any more is greyed out and says since when, the other goes on', async () => {
  const apple = { market: 'us', symbol: 'AAPL', tape: 'us' };
  const { page, watch, close } = await openPage({ preferences: { ...PREFERENCES, chosen: apple } });
  await live(page);
  await until('a last price', 20, async () => /\d/.test(await page.locator('[data-test=last]').innerText()));
  signal('us-service', 'SIGSTOP');
  try {
    await until('it is said', 40, async () => /시세가 끊겼습니다 · \d\d:\d\d:\d\d \(/.test(await page.locator('[data-test=old]').innerText()));
    // A price is drawn anew with each trade: it may be gone before it is looked at.
    const filter = (place, wanted) => until(`${place} is ${wanted}`, 10, async () => wanted.test(await page.locator(place).first().evaluate((one) => getComputedStyle(one).filter)));
    for (const place of ['[data-test=last]', '.tape .scroll', '.drawing', '.ladder tbody th', '.watch li:has-text("AAPL") .price']) await filter(place, /grayscale/);
    for (const place of ['[data-test=old]', '.watch li:has-text("005930") .price']) await filter(place, /^none$/);
    await until('candles', 10, async () => (await pixels(page)).candles > 60);
    await screenshot(page, 'desktop-dead-market');
  } finally {
    signal('us-service', 'SIGCONT');
  }
  await until('it is back', 60, async () => (await page.locator('[data-test=old]').count()) === 0);
  assert.deepEqual(watch.faults, []);
  await close();
});

test('a gateway that is killed and comes back: stale and said so, then live by itself', async () => {
  const { page, watch, close } = await openPage({ preferences: PREFERENCES });
  await live(page);
  await until('trades', 20, async () => (await rowsOf(page)).length > 5);
  await until('the chart', 20, async () => Number(await page.locator('[data-test=chart]').getAttribute('data-bars')) > 0);
  watch.gone = true;
  await stopGateway('SIGKILL');
  await page.locator('.lost').waitFor({ timeout: 10_000 });
  assert.match(await page.locator('.lost').innerText(), /연결 끊김[\s\S]*마지막 수신 \d\d:\d\d:\d\d KST/);
  assert.match(await page.locator('main').evaluate((main) => getComputedStyle(main.querySelector('.head > h2')).filter), /grayscale/);
  assert.ok((await rowsOf(page)).length > 5, 'what was known is still there');
  await screenshot(page, 'desktop-gateway-gone');
  await startGateway();
  await live(page);
  watch.gone = false;
  await until('it is no longer said to be lost', 5, async () => (await page.locator('.lost').count()) === 0);
  const first = await page.locator('.tape tbody tr').first().innerText();
  await until('trades go on', 15, async () => (await page.locator('.tape tbody tr').first().innerText()) !== first);
  await until('both books', 15, async () => (await ladderOf(page, 'asks', 'kis')).length > 4 && (await ladderOf(page, 'asks', 'kiwoom')).length > 4);
  assert.deepEqual(watch.faults, []);
  await close();
});
