// How each broker's feed is, and what happened to them since the page was opened.

import { showCount } from '../decimal';
import type { Feed } from '../state/words';
import { clock, delay, stretch } from '../time';
import { word } from '../texts';
import { texts, type Props } from './use';

/** A delay that a person should look at, ms. */
const SLOW_MS = 1_000;

export function Feeds({ state, now }: Props) {
  const say = texts(state);
  const { language } = state.preferences;
  const ahead = state.link.ahead;
  return (
    <section class="panel feeds" aria-labelledby="feeds-title">
      <h2 id="feeds-title">{say('feeds')}</h2>
      {!state.archive && <p class="note warn" role="status">{say('archiveGone')}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="feeds-title">
        <table>
          <thead>
            <tr>
              <th scope="col">{say('feed')}</th><th scope="col">{say('state')}</th><th scope="col">{say('links')}</th>
              <th scope="col" class="registered">{say('registered')}</th><th scope="col" title={say('delayHint')}>{say('delay')}</th>
              <th scope="col">{say('rate')}</th><th scope="col">{say('refused')}</th><th scope="col">{say('gaps')}</th>
            </tr>
          </thead>
          <tbody>
            {state.feeds.map((feed) => (
              <tr key={`${feed.market}/${feed.source}`} data-test={`feed-${feed.market}-${feed.source}`}>
                <th scope="row">{word(language, feed.market)} {word(language, feed.source)}</th>
                <td class={`verdict ${feed.verdict}`} title={feed.why}>
                  {word(language, feed.verdict)}
                  {feed.verdict !== 'alive' && feed.since !== undefined && <small class="num"> {stretch(now + ahead - feed.since)}</small>}
                </td>
                <td class={`num ${feed.connected < feed.keys ? 'warn' : ''}`}>{feed.connected}/{feed.keys}</td>
                <td class="num registered">{showCount(feed.registered)}</td>
                <Delay feed={feed} />
                <td class="num">{feed.rate === undefined ? '–' : showCount(Math.round(feed.rate))}</td>
                <Trouble value={feed.refused} />
                <Trouble value={feed.gaps} />
              </tr>
            ))}
          </tbody>
        </table>
        {state.feeds.length === 0 && <p class="empty">{say('noFeeds')}</p>}
        {state.feeds.filter(({ verdict }) => verdict === 'dead' || verdict === 'unknown').map((feed) => feed.why && (
          <p key={`${feed.market}/${feed.source}`} class="note warn">{word(language, feed.market)} {word(language, feed.source)}: {feed.why}</p>
        ))}
      </div>
    </section>
  );
}

function Delay({ feed }: { feed: Feed }) {
  if (feed.delay === undefined) return <td class="num">–</td>;
  const look = (ms: number) => (ms >= SLOW_MS ? 'warn' : '');
  return (
    <td class={`num ${look(feed.delay)}`}>
      {delay(feed.delay)}{feed.delayWorst !== undefined && <small class={`worst ${look(feed.delayWorst)}`}> · {delay(feed.delayWorst)}</small>}
    </td>
  );
}

function Trouble({ value }: { value: number | undefined }) {
  return <td class={`num ${value ? 'warn' : ''}`}>{value === undefined ? '–' : showCount(value)}</td>;
}

export function Happenings({ state }: Props) {
  const say = texts(state);
  const { language } = state.preferences;
  return (
    <>
      <ol>
        {state.happenings.map((one, place) => (
          <li key={state.happenings.length - place}>
            <time class="num">{clock(one.at, 'kr')}</time>
            <span class="who">{one.market && word(language, one.market)} {one.source && word(language, one.source)}</span>
            <span><strong>{word(language, one.what, 'what_')}</strong> {one.detail}</span>
          </li>
        ))}
      </ol>
      {state.happenings.length === 0 && <p class="empty">{say('noHappenings')}</p>}
    </>
  );
}
