// The head line: name, whether it is live, clocks, and the switches.

import type { Theme } from '../preferences';
import { clock } from '../time';
import { texts, type Props } from './use';

const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

export function Top({ state, control, now }: Props) {
  const say = texts(state);
  const { language, theme, colours } = state.preferences;
  const { ahead } = state.link;
  // Without the bus the gateway has nothing new to tell.
  const phase = state.link.phase === 'open' && state.busGoneAt !== undefined ? 'waiting' : state.link.phase;
  const words = phase === 'open' ? say('live') : phase === 'connecting' ? say('connecting') : say('lost');
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  return (
    <header class="top">
      <h1>sise</h1>
      <span class={`pill ${phase}`} role="status">{words}</span>
      <span class="clocks num">
        <span>{clock(now + ahead, 'kr')} <small>KST</small></span>
        <span>{clock(now + ahead, 'us')} <small>ET</small></span>
      </span>
      <span class="switches">
        <button type="button" title={say('colours')} aria-label={`${say('colours')}: ${say(colours)}`}
          onClick={() => control.prefer({ colours: colours === 'korean' ? 'western' : 'korean' })}>
          <span class="up" aria-hidden="true">▲</span><span class="down" aria-hidden="true">▼</span> <span class="wide">{say(colours)}</span>
        </button>
        <button type="button" title={say('theme')} aria-label={`${say('theme')}: ${say(theme)}`} onClick={() => control.prefer({ theme: next })}>
          <span aria-hidden="true">{theme === 'system' ? '◐' : theme === 'light' ? '○' : '●'}</span> <span class="wide">{say(theme)}</span>
        </button>
        <button type="button" lang={language === 'ko' ? 'en' : 'ko'} onClick={() => control.prefer({ language: language === 'ko' ? 'en' : 'ko' })}>
          {say('language')}
        </button>
      </span>
    </header>
  );
}
