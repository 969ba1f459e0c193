// The events, and where one stands in each.
import * as api from './api.js';
import { el, every, meter, setText, sleep } from './dom.js';
import { clock, count, date, day, moment, money, month, prices } from './format.js';
import { phase } from './problems.js';
import * as store from './store.js';

const shownMost = 60;
const goOn = {
  line: 'Back to your place in line',
  seats: 'Go on choosing',
  checkout: 'Go on to payment',
  receipt: 'See your booking',
};

function card(event) {
  const step = store.stepOf(event.id);
  const p = phase(event.phase);
  const chip = el('span', { class: `chip phase-${event.phase.toLowerCase()}`, text: p.name });
  const price = el('span', { class: 'price', text: '\u00a0' });
  const left = el('span', { class: 'left muted', text: '\u00a0' });
  const bar = meter(`Share of ${event.name} still available`, 0, event.capacity);
  const link = el('a', { href: `#/event/${encodeURIComponent(event.id)}`, text: event.name });
  const node = el(
    'li',
    { class: 'event card' },
    el(
      'div',
      { class: 'day', 'aria-hidden': 'true' },
      el('span', { class: 'month', text: month(event) }),
      el('span', { class: 'of-month', text: day(event) }),
    ),
    el(
      'div',
      { class: 'body' },
      el('h2', {}, link),
      el('p', { class: 'muted', text: [event.venue, `${date(event)}, ${clock(event)}`].filter(Boolean).join(' · ') }),
      el('div', { class: 'figures' }, chip, price, left),
      bar,
      goOn[step]
        ? el(
            'p',
            { class: 'go-on' },
            el('a', { href: `#/event/${encodeURIComponent(event.id)}`, text: `${goOn[step]} →` }),
          )
        : null,
    ),
  );
  return {
    node,
    phase(word) {
      chip.className = `chip phase-${word.toLowerCase()}`;
      setText(chip, phase(word).name);
    },
    full(e) {
      setText(price, prices(e.categories, e.currency));
    },
    stock(a) {
      setText(left, a.available ? `${count(a.available)} of ${count(a.capacity)} left` : 'none left');
      bar.value = a.available;
      bar.max = Math.max(a.capacity, 1);
    },
  };
}

export async function mount(root, { signal, title }) {
  title('Events');
  root.append(el('h1', { text: 'Events' }));
  const list = el(
    'ul',
    { class: 'events', 'aria-busy': 'true' },
    el('li', { class: 'card muted', text: 'Looking for events…' }),
  );
  root.append(list);
  const own = store.bookings();
  if (own.length) {
    root.append(
      el(
        'section',
        { class: 'own' },
        el('h2', { text: 'Your bookings in this browser' }),
        el(
          'ul',
          {},
          own.map((b) =>
            el(
              'li',
              {},
              el('a', { href: `#/booking/${encodeURIComponent(b.id)}`, text: b.name }),
              el('span', { class: 'muted', text: `${money(b.amount, b.currency)} · ${moment(b.at)}` }),
            ),
          ),
        ),
      ),
    );
  }

  let events = await api.events({ signal });
  list.setAttribute('aria-busy', 'false');
  if (!events.length) {
    list.replaceChildren(
      el(
        'li',
        { class: 'card empty' },
        el('p', { text: 'There are no events yet.' }),
        el('p', { class: 'muted', text: 'They appear here as soon as one is set up.' }),
      ),
    );
  }
  while (!events.length) {
    await sleep(5_000, signal);
    if (signal.aborted) return;
    if (document.visibilityState === 'visible') events = await api.events({ signal });
  }
  events = events.slice(0, shownMost);
  events.sort((a, b) => phase(b.phase).open - phase(a.phase).open || a.startsAt.localeCompare(b.startsAt));
  const cards = events.map((e) => [e, card(e)]);
  list.replaceChildren(...cards.map(([, c]) => c.node));
  const refresh = ([event, c]) =>
    api
      .status(event.id, { signal, tries: 1 })
      .then((s) => {
        c.phase(s.phase);
        c.stock(s.availability);
      })
      .catch(() => {});
  for (const [event, c] of cards)
    api
      .event(event.id, { signal })
      .then((e) => c.full(e))
      .catch(() => {});
  cards.forEach(refresh);
  every(5_000, () => document.visibilityState === 'visible' && cards.slice(0, 12).forEach(refresh), signal);
}
