// The door: a gateway that wants a token is asked nothing before a person gives one.

import { useEffect, useRef, useState } from 'preact/hooks';
import { texts, type Props } from './use';

export function Token({ state, control }: Props) {
  const say = texts(state);
  const [value, setValue] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), [state.locked]);

  const onSubmit = (event: Event) => {
    event.preventDefault();
    const token = value.trim();
    if (token === '') input.current?.focus();
    else control.giveToken(token);
  };
  return (
    <div class="door">
      <form onSubmit={onSubmit} aria-labelledby="door-title">
        <h2 id="door-title">{say('tokenAsk')}</h2>
        <p id="door-hint">{say('tokenHint')}</p>
        <input ref={input} type="password" autocomplete="off" spellcheck={false} aria-label={say('token')} placeholder={say('token')}
          aria-describedby="door-hint" aria-invalid={state.locked === 'wrong'} value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        {state.locked === 'wrong' && <p class="note warn" role="alert">{say('tokenWrong')}</p>}
        <button type="submit" class="main">{say('tokenGive')}</button>
      </form>
    </div>
  );
}
