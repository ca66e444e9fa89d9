// The watch list, and the search that fills it.

import { useEffect, useRef, useState } from 'preact/hooks';
import { digitsOf, showPercent, showPrice } from '../decimal';
import { found } from '../find';
import { nameOf, type Instrument } from '../state/words';
import { clock } from '../time';
import { word } from '../texts';
import { baseOf, changeOf, listedOf, marketStale, tapeName, texts, type Props } from './use';

export function Watch(props: Props & { chose: () => void }) {
  const { state, control, chose } = props;
  const say = texts(state);
  const { watch, chosen } = state.preferences;
  const list = useRef<HTMLUListElement>(null);

  const onKey = (event: KeyboardEvent, place: number, one: Instrument) => {
    const rows = list.current?.querySelectorAll<HTMLButtonElement>('button.row');
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) rows?.[Math.max(0, Math.min(rows.length - 1, place + step))]?.focus();
    else if (event.key === 'Delete') control.remove(one);
    else return;
    event.preventDefault();
  };

  return (
    <section class="panel watch" aria-labelledby="watch-title">
      <h2 id="watch-title">{say('watch')}</h2>
      <Search {...props} />
      {watch.length === 0 && <p class="empty">{say('watchEmpty')}</p>}
      <ul ref={list}>
        {watch.map((one, place) => {
          const name = nameOf(one);
          const quote = state.quotes[name];
          const change = quote && changeOf(quote.price, baseOf(state, one));
          // Without a day to compare with, the last step.
          const way = change ? change.way : quote && quote.tick !== 0 ? (quote.tick > 0 ? 'up' : 'down') : '';
          return (
            <li key={name} class={marketStale(state, one.market) ? 'old' : ''}>
              <button type="button" class="row" aria-current={chosen !== undefined && nameOf(chosen) === name}
                onKeyDown={(event) => onKey(event, place, one)} onClick={() => { control.choose(one); chose(); }}>
                <span class="name">{listedOf(state, one)?.name || one.symbol}</span>
                <span key={quote?.cumulative} class={`num price ${way} ${quote && quote.tick > 0 ? 'rose' : quote && quote.tick < 0 ? 'fell' : ''}`}>{quote ? showPrice(quote.price, digitsOf(one.market)) : '–'}</span>
                <small class="where num">{listedOf(state, one)?.name ? `${one.symbol} ` : ''}{tapeName(state.preferences.language, one.tape)}</small>
                <small class={`num ${change?.way ?? ''}`} title={quote && clock(quote.at, one.market)}>{change ? showPercent(change.points) : quote ? clock(quote.at, one.market) : ''}</small>
              </button>
              <button type="button" class="remove" aria-label={`${say('remove')}: ${one.symbol} ${one.tape}`} title={say('remove')}
                onClick={() => control.remove(one)}>×</button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** A combobox: letters narrow the list, arrows move in it, Enter adds and shows. `/` comes here from anywhere. */
function Search({ state, control }: Props) {
  const say = texts(state);
  const { language } = state.preferences;
  const input = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const hits = words.trim() === '' ? [] : found(state.listed, words);

  useEffect(() => {
    const onSlash = (event: KeyboardEvent) => {
      const inField = event.target instanceof HTMLInputElement;
      if (event.key !== '/' || inField || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onSlash);
    return () => document.removeEventListener('keydown', onSlash);
  }, []);

  const take = (place: number) => {
    const hit = hits[place];
    if (!hit) return;
    control.add(hit.instrument);
    setWords('');
    setAt(0);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt(Math.min(hits.length - 1, at + 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(0, at - 1));
    else if (event.key === 'Enter') take(at);
    else if (event.key === 'Escape') setWords('');
    else return;
    event.preventDefault();
  };

  return (
    <div class="search">
      <input ref={input} type="text" role="combobox" autocomplete="off" spellcheck={false} aria-label={say('search')} placeholder={say('search')}
        aria-expanded={hits.length > 0} aria-controls="hits" aria-autocomplete="list"
        aria-activedescendant={hits.length > 0 ? `hit-${at}` : undefined}
        value={words} onInput={(event) => { setWords(event.currentTarget.value); setAt(0); }} onKeyDown={onKey} />
      <ul id="hits" role="listbox" aria-label={say('search')} hidden={hits.length === 0}>
        {hits.map(({ instrument, name }, place) => (
          <li key={nameOf(instrument)} id={`hit-${place}`} role="option" aria-selected={place === at}
            onMouseDown={(event) => { event.preventDefault(); take(place); }}>
            <span>{name || instrument.symbol}</span>
            <small>{name ? instrument.symbol : word(language, instrument.market)} {tapeName(language, instrument.tape)}</small>
          </li>
        ))}
      </ul>
      {words.trim() !== '' && hits.length === 0 && <p class="empty" role="status">{say('searchNone')}</p>}
    </div>
  );
}
