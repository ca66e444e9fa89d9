// The page as a whole: head, a line that says when it is not live, and the panels.

import { useLayoutEffect, useState } from 'preact/hooks';
import { stretch, clock } from '../time';
import { Chart } from './chart';
import { Days } from './days';
import { Feeds, Happenings } from './feeds';
import { Head } from './head';
import { Ladder } from './ladder';
import { Tape } from './tape';
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
      <a class="skip" href="#book">{say('skipTo')}</a>
      <Top {...props} />
      <Lost {...props} />
      {state.locked && <Token {...props} />}
      <main data-panel={panel} class={linkStale(state) ? 'stale' : ''}>
        <Watch {...props} chose={() => setPanel('book')} />
        <div class="middle">
          <Head {...props} />
          <Chart {...props} />
          <div class="below">
            <Feeds {...props} />
            <Days {...props} />
            <Happenings {...props} />
          </div>
        </div>
        <Ladder {...props} />
        <Tape {...props} />
      </main>
      <nav class="panels" aria-label={say('views')}>
        {PANELS.map((one) => (
          <button key={one} type="button" aria-pressed={one === panel} onClick={() => setPanel(one)}>{say(one)}</button>
        ))}
      </nav>
    </>
  );
}

/** Said as long as nothing is heard of the gateway. */
function Lost({ state, control, now }: Props) {
  const say = texts(state);
  const { phase, heardAt, retryAt, why } = state.link;
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

function Token({ state, control }: Props) {
  const say = texts(state);
  const [value, setValue] = useState('');
  return (
    <form class="lost" onSubmit={(event) => { event.preventDefault(); control.giveToken(value.trim()); }}>
      <label>
        {say('tokenAsk')}: <input type="password" autocomplete="off" aria-label={say('token')} value={value}
          onInput={(event) => setValue(event.currentTarget.value)} />
      </label>
      <button type="submit">{say('retryNow')}</button>
    </form>
  );
}
