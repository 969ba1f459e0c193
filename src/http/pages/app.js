// Which view is on: told by the address (#/, #/event/<id>, #/booking/<id>) and by what is stored about that event.
import { onTrouble } from './api.js';
import { el, say, setText } from './dom.js';
import { watchHealth } from './health.js';
import { explain } from './problems.js';
import * as store from './store.js';
import * as viewBooking from './view_booking.js';
import * as viewCheckout from './view_checkout.js';
import * as viewEvents from './view_events.js';
import * as viewJoin from './view_join.js';
import * as viewLine from './view_line.js';
import * as viewReceipt from './view_receipt.js';
import * as viewSeats from './view_seats.js';

const journeyViews = { join: viewJoin, line: viewLine, seats: viewSeats, checkout: viewCheckout, receipt: viewReceipt };
const steps = [
  ['line', 'Line'],
  ['seats', 'Places'],
  ['checkout', 'Payment'],
  ['receipt', 'Done'],
];

const main = document.getElementById('main');
const stepList = document.getElementById('steps');
let shown = '';
let leaving = new AbortController();

function wanted() {
  const [, kind, id] = location.hash.split('/').map(decodeURIComponent);
  if (kind === 'event' && id) {
    const step = store.stepOf(id);
    return { view: journeyViews[step], step, id, name: `${step}:${id}` };
  }
  if (kind === 'booking' && id) return { view: viewBooking, id, name: `booking:${id}` };
  return { view: viewEvents, name: 'events' };
}

function showSteps(step) {
  stepList.hidden = !step;
  const at = step === 'join' ? 0 : steps.findIndex(([name]) => name === step);
  stepList.replaceChildren(
    ...steps.map(([, title], i) =>
      el(
        'li',
        {
          'aria-current': i === at ? 'step' : undefined,
          class: i < at ? 'past' : i === at ? 'here' : '',
        },
        el('span', { text: title }),
      ),
    ),
  );
}

/// Shows what the address and the store ask for. Views call it after they stored a step.
function show() {
  const next = wanted();
  if (next.name === shown) return;
  const first = shown === '';
  shown = next.name;
  leaving.abort();
  leaving = new AbortController();
  const root = el('div', { class: `view view-${next.name.split(':')[0]}` });
  main.replaceChildren(root);
  showSteps(next.step);
  const context = {
    id: next.id,
    signal: leaving.signal,
    go: show,
    title: (text) => (document.title = `${text} · Sluice`),
    step: showSteps,
  };
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  next.view.mount(root, context).catch((problem) => {
    if (context.signal.aborted) return;
    const { text, next: todo } = explain(problem);
    root.replaceChildren(
      el(
        'section',
        { class: 'card notice', role: 'alert' },
        el('h1', { text }),
        el('p', { text: todo }),
        el('p', {}, el('a', { class: 'button', href: '#/', text: 'All events' })),
      ),
    );
  });
}

// One line for everything that passes by itself.
const banner = document.getElementById('banner');
let calm = 0;

function tell(text) {
  clearTimeout(calm);
  banner.hidden = !text;
  setText(banner, text);
}

onTrouble((problem) => {
  if (!navigator.onLine)
    return tell('You are offline. Your place is kept; this page goes on when the connection is back.');
  if (!problem) return tell('');
  const { text } = explain(problem);
  tell(`${text} Trying again…`);
  calm = setTimeout(() => tell(''), 20_000);
});

addEventListener('offline', () =>
  tell('You are offline. Your place is kept; this page goes on when the connection is back.'),
);
addEventListener('online', () => {
  tell('');
  say('You are online again');
});
addEventListener('hashchange', show);
store.onOtherTab(show);
document.querySelector('.skip').addEventListener('click', (e) => {
  e.preventDefault();
  main.focus();
});
watchHealth(document.getElementById('health'), document.getElementById('health-text'));
show();
