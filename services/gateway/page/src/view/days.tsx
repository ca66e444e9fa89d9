// How complete the archive's last days are: proven share for share, or what is missing.

import { showCount } from '../decimal';
import { word } from '../texts';
import { texts, type Props } from './use';

export function Days({ state }: Props) {
  const say = texts(state);
  const { language } = state.preferences;
  const days = state.days?.toSorted((a, b) => b.date.localeCompare(a.date) || a.market.localeCompare(b.market));
  return (
    <>
      {days && days.length > 0 && <table>
        <thead>
          <tr>
            <th scope="col">{say('date')}</th><th scope="col">{say('market')}</th><th scope="col">{say('proven')}</th>
            <th scope="col">{say('withoutTotal')}</th><th scope="col">{say('missing')}</th><th scope="col">{say('recovered')}</th>
            <th scope="col">{say('openGaps')}</th>
          </tr>
        </thead>
        <tbody>
          {days?.map((day) => (
            <tr key={`${day.date}/${day.market}`}>
              <th scope="row" class="num">{day.date.slice(5)}</th>
              <td>{word(language, day.market)}</td>
              <td class={`num ${day.proven === day.instruments ? 'good' : ''}`}>{day.proven}/{day.instruments}</td>
              <td class="num">{showCount(day.withoutTotal)}</td>
              <td class={`num ${day.missing === 0 ? '' : 'warn'}`}>{showCount(day.missing)}</td>
              <td class="num">{showCount(day.recovered)}</td>
              <td class={`num ${day.openGaps === 0 ? '' : 'warn'}`}>{showCount(day.openGaps)}</td>
            </tr>
          ))}
        </tbody>
      </table>}
      {days === undefined && !state.daysProblem && <p class="empty">{say('loading')}</p>}
      {days?.length === 0 && !state.daysProblem && <p class="empty">{say('noDays')}</p>}
      {state.daysProblem && state.link.phase === 'open' && <p class="note warn">{say('daysFailed')}: {state.daysProblem}</p>}
    </>
  );
}
