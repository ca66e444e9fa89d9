// Under the chart: how the feeds are, and behind tabs how complete the days are, what is missing today, what happened.

import { useRef, useState } from 'preact/hooks';
import { showCount } from '../decimal';
import type { TextName } from '../texts';
import { Days } from './days';
import { Feeds, Happenings } from './feeds';
import { Gaps } from './gaps';
import { texts, type Props } from './use';

const TABS = ['days', 'gapList', 'happenings'] as const satisfies readonly TextName[];
type Tab = (typeof TABS)[number];

export function Below(props: Props) {
  const { state } = props;
  const say = texts(state);
  const [tab, setTab] = useState<Tab>('days');
  const list = useRef<HTMLDivElement>(null);
  const openGaps = state.gaps?.filter(({ open }) => open).length ?? 0;
  const badge: Record<Tab, number> = { days: 0, gapList: openGaps, happenings: state.happenings.length };

  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    if (step === 0 || !next) return;
    event.preventDefault();
    setTab(next);
    list.current?.querySelector<HTMLButtonElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div class="below">
      <Feeds {...props} />
      <section class="panel tabbed">
        <div class="tabs" role="tablist" ref={list} onKeyDown={onKey}>
          {TABS.map((one) => (
            <button key={one} id={`tab-${one}`} type="button" role="tab" aria-selected={one === tab} aria-controls="tab-panel" tabIndex={one === tab ? 0 : -1}
              onClick={() => setTab(one)}>
              {say(one)}{badge[one] > 0 && <span class={`badge num ${one === 'gapList' ? 'warn' : ''}`}>{showCount(badge[one])}</span>}
            </button>
          ))}
        </div>
        <div class={`scroll ${tab}`} id="tab-panel" role="tabpanel" tabIndex={0} aria-labelledby={`tab-${tab}`}>
          {tab === 'days' && <Days {...props} />}
          {tab === 'gapList' && <Gaps {...props} />}
          {tab === 'happenings' && <Happenings {...props} />}
        </div>
      </section>
    </div>
  );
}
