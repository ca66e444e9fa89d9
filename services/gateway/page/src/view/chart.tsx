// The candle chart: bars of the archive, continued by the stream, drawn by lightweight-charts.

import { CandlestickSeries, createChart, HistogramSeries, type IChartApi, type ISeriesApi, type Time, type UTCTimestamp } from 'lightweight-charts';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { digitsOf, forChart, showPrice } from '../decimal';
import { MINUTES } from '../preferences';
import { wider } from '../state/bars';
import { nameOf, type Bar } from '../state/words';
import { day, minute } from '../time';
import { texts, type Props } from './use';

interface Drawn {
  readonly chart: IChartApi;
  readonly prices: ISeriesApi<'Candlestick'>;
  readonly volumes: ISeriesApi<'Histogram'>;
}

export function Chart({ state, control }: Props) {
  const say = texts(state);
  const { chosen, minutes, theme, colours } = state.preferences;
  const market = chosen?.market ?? 'kr';
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const before = useRef<{ key: string; bars: readonly Bar[] }>({ key: '', bars: [] });
  const bars = useMemo(() => (state.bars.loaded ? wider(state.bars.list, minutes) : []), [state.bars, minutes]);
  const key = `${chosen ? nameOf(chosen) : ''} ${minutes} ${colours} ${theme}`;

  useEffect(() => {
    if (!place.current) return undefined;
    const made = create(place.current);
    drawn.current = made;
    before.current = { key: '', bars: [] };
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const repaint = () => { paint(made); before.current = { key: '', bars: before.current.bars }; };
    dark.addEventListener('change', repaint);
    const unhide = whenSeen(place.current, () => latest(made.chart));
    return () => { unhide(); dark.removeEventListener('change', repaint); made.chart.remove(); drawn.current = null; };
  }, []);

  useEffect(() => {
    if (!drawn.current) return;
    const { chart, prices } = drawn.current;
    paint(drawn.current);
    const time = (at: Time) => Number(at) * 1000;
    chart.applyOptions({
      localization: { timeFormatter: (at: Time) => `${day(time(at), market)} ${minute(time(at), market)}`, priceFormatter: (price: number) => showPrice(price.toFixed(digitsOf(market)), digitsOf(market)) },
      timeScale: { tickMarkFormatter: (at: Time, kind: number) => (kind < 3 ? day(time(at), market).slice(5) : minute(time(at), market)) },
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
    <section class="panel chart" aria-labelledby="chart-title">
      <h2 id="chart-title">{say('chart')}</h2>
      <span class="kinds" role="group" aria-labelledby="chart-title">
        {MINUTES.map((one) => (
          <button key={one} type="button" aria-pressed={one === minutes} onClick={() => control.prefer({ minutes: one })}>{one}{say('minutes')}</button>
        ))}
      </span>
      <a class="by" href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">{say('chartBy')}</a>
      <div class="drawing" ref={place} role="img" data-test="chart" data-bars={bars.length} data-close={last?.close} data-volume={bars.reduce((sum, bar) => sum + bar.volume, 0)}
        aria-label={last ? `${say('chart')}: ${minute(last.start * 1000, market)} ${last.open} ${last.high} ${last.low} ${last.close}` : say('barsNone')} />
      {problem && <p class="note over" role="status">{problem}</p>}
    </section>
  );
}

function create(place: HTMLElement): Drawn {
  const chart = createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 11, fontFamily: 'inherit' },
    timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 3, minBarSpacing: 1 },
    handleScroll: { vertTouchDrag: false },
  });
  const prices = chart.addSeries(CandlestickSeries, {});
  const volumes = chart.addSeries(HistogramSeries, { priceScaleId: 'volume', priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  prices.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.22 } });
  return { chart, prices, volumes };
}

/** The latest bars at the right edge, as wide as they are read well. */
function latest(chart: IChartApi): void {
  chart.timeScale().applyOptions({ barSpacing: 6 });
  chart.timeScale().scrollToPosition(3, false);
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
function paint({ chart, prices, volumes }: Drawn): void {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [up, down] = [colour('--up'), colour('--down')];
  chart.applyOptions({
    layout: { background: { color: colour('--panel') }, textColor: colour('--soft'), fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { vertLines: { color: colour('--grid') }, horzLines: { color: colour('--grid') } },
    rightPriceScale: { borderColor: colour('--line') },
    timeScale: { borderColor: colour('--line') },
  });
  prices.applyOptions({ upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down });
  volumes.applyOptions({ color: colour('--bar') });
}

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
    latest(chart);
  }
}

function isEqual(a: Bar, b: Bar | undefined): boolean {
  return b !== undefined && a.start === b.start && a.volume === b.volume && a.high === b.high && a.low === b.low && a.close === b.close;
}

function candle({ start, open, high, low, close }: Bar) {
  return { time: start as UTCTimestamp, open: forChart(open), high: forChart(high), low: forChart(low), close: forChart(close) };
}

function volume({ start, volume }: Bar) {
  return { time: start as UTCTimestamp, value: volume };
}
