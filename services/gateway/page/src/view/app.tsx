// The page as a whole: head, a line that says when it is not live, and the panels.

import { useLayoutEffect, useState } from 'preact/hooks';
import { stretch, clock } from '../time';
import { Below } from './below';
import { Chart } from './chart';
import { Head } from './head';
import { Ladder } from './ladder';
import { Tape } from './tape';
import { Token } from './token';
import { Top } from './top';
import { linkStale, texts, type Props } from './use';
import { Watch } from './watch';

/** On a narrow screen one of these is seen at a time. */
const PANELS = ['watch', 'chart', 'book', 'feeds'] as const;
type Panel = (typeof PANELS)[number];

export function App(props: Props) {
  const { state } = props;
  const say = texts(state);
  const { language, theme, colours } = state.preferences;
  const [panel, setPanel] = useState<Panel>('book');

  // Before the effects of the parts: the chart reads its colours from there.
  useLayoutEffect(() => {
    const root = document.documentElement;
    root.lang = language;
    root.dataset['colours'] = colours;
    if (theme === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = theme;
  }, [language, theme, colours]);

  return (
    <>
      <a class="skip" href="#book" inert={state.locked !== ''}>{say('skipTo')}</a>
      <Top {...props} />
      {state.locked ? <Token {...props} /> : <Lost {...props} />}
      <main data-panel={panel} inert={state.locked !== ''} class={linkStale(state) ? 'stale' : ''}>
        <Watch {...props} chose={() => setPanel('book')} />
        <div class="middle">
          <Head {...props} />
          <Chart {...props} />
          <Below {...props} />
        </div>
        <Ladder {...props} />
        <Tape {...props} />
      </main>
      <nav class="panels" inert={state.locked !== ''} aria-label={say('views')}>
        {PANELS.map((one) => (
          <button key={one} type="button" aria-pressed={one === panel} onClick={() => setPanel(one)}>{say(one)}</button>
        ))}
      </nav>
    </>
  );
}

/** Said as long as nothing is heard of the gateway, or nothing new can be. */
function Lost({ state, control, now }: Props) {
  const say = texts(state);
  const { phase, heardAt, retryAt, why } = state.link;
  if (phase === 'open' && state.busGoneAt !== undefined) {
    return (
      <div class="lost" role="alert">
        <strong>{say('busGone')}</strong>
        <span>{clock(state.busGoneAt, 'kr')} KST</span>
        <span class="num" aria-hidden="true">({stretch(now - state.busGoneAt)})</span>
      </div>
    );
  }
  if (phase === 'open' || (heardAt === undefined && phase === 'connecting')) return null;
  const since = heardAt === undefined ? say('never') : `${say('lastHeard')} ${clock(heardAt, 'kr')} KST`;
  return (
    <div class="lost" role="alert">
      <strong>{say('lost')}</strong>
      <span>{since}</span>
      <span class="num" aria-hidden="true">
        {heardAt !== undefined && `(${stretch(now - heardAt)})`} {phase === 'waiting' ? `${say('retryIn')} ${stretch(retryAt - now + 999)}` : say('connecting')}
      </span>
      <button type="button" onClick={() => control.connectNow()}>{say('retryNow')}</button>
      {why && <small>{why}</small>}
    </div>
  );
}
