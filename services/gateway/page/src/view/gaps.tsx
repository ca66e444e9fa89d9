// Where something is missing today: every gap that the archive knows, the open ones first, in words.

import { showCount } from '../decimal';
import type { Gap } from '../state/words';
import { clock, day, stretch } from '../time';
import { word } from '../texts';
import { listedOf, tapeName, texts, type Props } from './use';

/** Rows that are drawn; the rest is a number. */
const SHOWN = 200;

export function Gaps({ state, now }: Props) {
  const say = texts(state);
  const { gaps, gapsProblem, preferences: { language } } = state;
  return (
    <>
      {gapsProblem && state.link.phase === 'open' && <p class="note warn" role="status">{say('gapsFailed')}: {gapsProblem}</p>}
      {gaps && gaps.length > 0 && (
        <table class="gap-list">
          <thead>
            <tr>
              <th scope="col">{say('state')}</th><th scope="col">{say('interval')}</th><th scope="col">{say('where')}</th>
              <th scope="col">{say('reason')}</th><th scope="col">{say('missingShares')}</th>
            </tr>
          </thead>
          <tbody>
            {gaps.slice(0, SHOWN).map((gap, place) => (
              <tr key={place} data-test="gap" title={gap.detail}>
                <td class={gap.open ? 'warn' : 'good'}>{say(gap.open ? (gap.residue === undefined ? 'gapOpen' : 'gapResidue') : 'gapClosed')}</td>
                <td class="num">{interval(gap, now + state.link.ahead)}</td>
                <td>
                  {gap.symbol ? (listedOf(state, { market: gap.market === 'us' ? 'us' : 'kr', symbol: gap.symbol })?.name ?? '') || gap.symbol : say('everything')}
                  <small> {gap.tape && tapeName(language, gap.tape)} {word(language, gap.market)} {word(language, gap.source)}{gap.connection && ` ${gap.connection}`}</small>
                </td>
                <td>{word(language, gap.reason, 'reason_')}</td>
                <td class="num">{shares(gap)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {gaps && gaps.length > SHOWN && <p class="note">+{showCount(gaps.length - SHOWN)}</p>}
      {gaps?.length === 0 && !gapsProblem && <p class="empty">{say('noGaps')}</p>}
      {gaps === undefined && !gapsProblem && <p class="empty">{say('loading')}</p>}
    </>
  );
}

/** `09:00:03 – 09:00:07 (4s)` at the exchange; an open one goes on until now. */
function interval({ market, from, until, open }: Gap, now: number): string {
  if (from === undefined) return '–';
  const end = until ?? (open ? undefined : from);
  const other = end !== undefined && day(end, market) !== day(from, market) ? `${day(end, market).slice(5)} ` : '';
  return `${clock(from, market)} – ${end === undefined ? '' : other + clock(end, market)} (${stretch((end ?? now) - from)})`;
}

/** `40 / 120` shares still missing of those that were; of a stretch of time nothing is known. */
function shares({ shares, left, open }: Gap) {
  if (!shares) return '–';
  const all = shares.until - shares.after;
  return <span title={`${showCount(shares.after)} – ${showCount(shares.until)}`}>{showCount(open ? (left ?? all) : 0)}<small> / {showCount(all)}</small></span>;
}
