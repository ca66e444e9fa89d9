// The candle chart: bars of the archive, continued by the stream, drawn by lightweight-charts.

import { CandlestickSeries, createChart, HistogramSeries, type IChartApi, type ISeriesApi, type Time, type UTCTimestamp } from 'lightweight-charts';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { compare, digitsOf, forChart, showCount, showPrice } from '../decimal';
import { SPANS } from '../preferences';
import { spanOf } from '../state/app';
import { MINUTE, wider } from '../state/bars';
import { nameOf, type Bar } from '../state/words';
import { clock, day, minute } from '../time';
import { marketStale, texts, type Props } from './use';

/** Pixels of a bar: as wide as fills the drawing, within what reads well. */
const NARROWEST = 6;
const WIDEST = 11;
/** Bars of nothing at the right edge. */
const AHEAD = 4;

interface Drawn {
  readonly chart: IChartApi;
  readonly prices: ISeriesApi<'Candlestick'>;
  readonly volumes: ISeriesApi<'Histogram'>;
}

export function Chart({ state, control }: Props) {
  const say = texts(state);
  const { chosen, theme, colours } = state.preferences;
  const span = spanOf(state);
  const market = chosen?.market ?? 'kr';
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const before = useRef<{ key: string; bars: readonly Bar[] }>({ key: '', bars: [] });
  const bars = useMemo(() => (state.bars.loaded ? wider(state.bars.list, span) : []), [state.bars, span]);
  const [pointed, point] = useState<number | undefined>(undefined);
  const key = `${chosen ? nameOf(chosen) : ''} ${span} ${colours} ${theme}`;

  useEffect(() => {
    if (!place.current) return undefined;
    const made = create(place.current);
    drawn.current = made;
    before.current = { key: '', bars: [] };
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const repaint = () => { paint(made); before.current = { key: '', bars: before.current.bars }; };
    dark.addEventListener('change', repaint);
    const unhide = whenSeen(place.current, () => latest(made.chart, before.current.bars.length));
    made.chart.subscribeCrosshairMove(({ time }) => point(time === undefined ? undefined : Number(time)));
    return () => { unhide(); dark.removeEventListener('change', repaint); made.chart.remove(); drawn.current = null; };
  }, []);

  useEffect(() => {
    if (!drawn.current) return;
    const { chart, prices } = drawn.current;
    paint(drawn.current);
    const time = (at: Time) => Number(at) * 1000;
    const short = (at: number) => (span < MINUTE ? clock(at, market) : minute(at, market));
    chart.applyOptions({
      localization: { timeFormatter: (at: Time) => `${day(time(at), market)} ${short(time(at))}`, priceFormatter: (price: number) => showPrice(price.toFixed(digitsOf(market)), digitsOf(market)) },
      timeScale: { secondsVisible: span < MINUTE, tickMarkFormatter: (at: Time, kind: number) => (kind < 3 ? day(time(at), market).slice(5) : kind === 4 ? clock(time(at), market) : minute(time(at), market)) },
    });
    prices.applyOptions({ priceFormat: { type: 'price', precision: digitsOf(market), minMove: market === 'us' ? 0.01 : 1 } });
  }, [key]);

  useEffect(() => {
    if (!drawn.current) return;
    draw(drawn.current, before.current, bars, key);
    before.current = { key, bars };
  }, [bars, key]);

  const last = bars.at(-1);
  const away = state.barsProblem !== '' && state.link.phase === 'open';
  const problem = away ? `${say('barsFailed')} (${state.barsProblem}). ${say('barsLiveOnly')}` : state.bars.loaded && bars.length === 0 ? say('barsNone') : '';
  return (
    <section class={`panel chart ${marketStale(state, market) ? 'old' : ''}`} aria-labelledby="chart-title">
      <h2 id="chart-title">{say('chart')}</h2>
      <span class="kinds" role="group" aria-labelledby="chart-title">
        {SPANS.map((one) => (
          <button key={one} type="button" aria-pressed={one === span} onClick={() => control.prefer({ span: one })}>
            {one < MINUTE ? `${one}${say('seconds')}` : `${one / MINUTE}${say('minutes')}`}
          </button>
        ))}
      </span>
      <Legend bar={bars.find(({ start }) => start === pointed) ?? last} digits={digitsOf(market)} say={say} />
      <a class="by" href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">{say('chartBy')}</a>
      <div class="drawing" ref={place} role="img" data-test="chart" data-bars={bars.length} data-close={last?.close} data-volume={bars.reduce((sum, bar) => sum + bar.volume, 0)}
        data-span={span} aria-label={last ? `${say('chart')}: ${minute(last.start * 1000, market)} ${last.open} ${last.high} ${last.low} ${last.close}` : say('barsNone')} />
      {chosen && !state.bars.loaded && <Loading text={say('barsLoading')} />}
      {problem && <p class="note over" role="status">{problem}</p>}
    </section>
  );
}

/** The prices of the bar under the pointer, else of the last one. */
function Legend({ bar, digits, say }: { bar: Bar | undefined; digits: number; say: ReturnType<typeof texts> }) {
  if (!bar) return null;
  const order = compare(bar.close, bar.open);
  const way = order > 0 ? 'up' : order < 0 ? 'down' : '';
  const shown = (['open', 'high', 'low', 'close'] as const).map((name) => (
    <span key={name}><small>{say(name)}</small> <b class={way}>{showPrice(bar[name], digits)}</b></span>
  ));
  return <p class="legend num" aria-hidden="true">{shown}<span><small>{say('volumeShort')}</small> <b>{showCount(bar.volume)}</b></span></p>;
}

/** Stands where the bars will be until the archive has answered. */
function Loading({ text }: { text: string }) {
  const heights = [34, 40, 31, 46, 52, 44, 58, 50, 62, 55, 47, 60, 66, 57, 70, 61, 53, 64, 72, 63];
  return (
    <div class="loading" role="status">
      <div aria-hidden="true">{heights.map((height, place) => <i key={place} style={{ height: `${height}%` }} />)}</div>
      <p>{text}</p>
    </div>
  );
}

function create(place: HTMLElement): Drawn {
  const chart = createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 11, fontFamily: 'inherit' },
    timeScale: { timeVisible: true, secondsVisible: false, rightOffset: AHEAD, minBarSpacing: 1 },
    crosshair: { vertLine: { labelVisible: true }, horzLine: { labelVisible: true } },
    handleScroll: { vertTouchDrag: false },
  });
  const prices = chart.addSeries(CandlestickSeries, {});
  const volumes = chart.addSeries(HistogramSeries, { priceScaleId: 'volume', priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  prices.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.2 } });
  return { chart, prices, volumes };
}

/** The latest of so many bars at the right edge, as wide as they are read well. */
function latest(chart: IChartApi, bars: number): void {
  const width = chart.timeScale().width() / Math.max(1, bars + AHEAD);
  chart.timeScale().applyOptions({ barSpacing: Math.min(WIDEST, Math.max(NARROWEST, width)) });
  chart.timeScale().scrollToPosition(AHEAD, false);
}

/** Calls back when a hidden element comes into sight: without a width the chart forgot what it showed. */
function whenSeen(place: HTMLElement, then: () => void): () => void {
  let width = place.clientWidth;
  const observer = new ResizeObserver(() => {
    const before = width;
    width = place.clientWidth;
    // The chart takes its new size from an observer of its own; the next frame is after both.
    if (before === 0 && width > 0) requestAnimationFrame(then);
  });
  observer.observe(place);
  return () => observer.disconnect();
}

/** The colours of the page's style, so that there is one place for them. */
function paint({ chart, prices }: Drawn): void {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [up, down] = [colour('--up'), colour('--down')];
  chart.applyOptions({
    layout: { background: { color: colour('--panel') }, textColor: colour('--soft'), fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { vertLines: { color: colour('--grid') }, horzLines: { color: colour('--grid') } },
    rightPriceScale: { borderColor: colour('--line') },
    timeScale: { borderColor: colour('--line') },
    crosshair: { vertLine: { color: colour('--soft'), labelBackgroundColor: colour('--label') }, horzLine: { color: colour('--soft'), labelBackgroundColor: colour('--label') } },
  });
  prices.applyOptions({ upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down });
  tints = { up: colour('--up-bar'), down: colour('--down-bar') };
}

/** The colours of volumes, each bar its own. */
let tints = { up: '', down: '' };

/** Only what changed is drawn again: the last bars while trades come, everything after a change of what is shown. */
function draw({ chart, prices, volumes }: Drawn, before: { key: string; bars: readonly Bar[] }, bars: readonly Bar[], key: string): void {
  const same = before.bars.length - 1;
  const isContinued = before.key === key && same >= 0 && bars.length > same && bars.slice(0, same).every((bar, at) => isEqual(bar, before.bars[at]));
  const from = isContinued ? same : 0;
  if (isContinued) {
    for (const bar of bars.slice(from)) {
      prices.update(candle(bar));
      volumes.update(volume(bar));
    }
    return;
  }
  prices.setData(bars.map(candle));
  volumes.setData(bars.map(volume));
  if (before.key.split(' ', 2).join(' ') !== key.split(' ', 2).join(' ') || before.bars.length === 0) {
    latest(chart, bars.length);
  }
}

function isEqual(a: Bar, b: Bar | undefined): boolean {
  return b !== undefined && a.start === b.start && a.volume === b.volume && a.high === b.high && a.low === b.low && a.close === b.close;
}

function candle({ start, open, high, low, close }: Bar) {
  return { time: start as UTCTimestamp, open: forChart(open), high: forChart(high), low: forChart(low), close: forChart(close) };
}

function volume({ start, volume, open, close }: Bar) {
  return { time: start as UTCTimestamp, value: volume, color: compare(close, open) < 0 ? tints.down : tints.up };
}
