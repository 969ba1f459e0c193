// Pieces several views share: the head of an event, a problem, an order, a clock that runs down.
import { now } from './api.js';
import { el, every, say, setText } from './dom.js';
import { clock, countdown, date, money, orderLines, spokenTime } from './format.js';
import { explain } from './problems.js';

export function eventHead(event, heading) {
  return el(
    'header',
    { class: 'head' },
    el('p', { class: 'over', text: heading ? event.name : event.venue }),
    el('h1', { text: heading ?? event.name }),
    el('p', {
      class: 'muted',
      text: [heading ? event.venue : '', `${date(event)}, ${clock(event)}`].filter(Boolean).join(' · '),
    }),
  );
}

/// A place for what went wrong, announced when it is filled.
export function problemBox() {
  const node = el('div', { class: 'problem', role: 'alert', hidden: true });
  return {
    node,
    show(problem, extra) {
      const { text, next } = problem.text ? problem : explain(problem);
      node.replaceChildren(
        el('strong', { text }),
        ' ',
        el('span', { text: next }),
        ...(extra ? [el('span', { class: 'actions' }, extra)] : []),
      );
      node.hidden = false;
    },
    clear() {
      node.hidden = true;
      node.replaceChildren();
    },
  };
}

/// What is paid for, as a table with a total.
export function orderTable(order, event) {
  const rows = orderLines(order, event).map((line) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, line.what, el('small', { class: 'muted', text: line.where })),
      el('td', { text: money(line.amount, order.currency) }),
    ),
  );
  return el(
    'table',
    { class: 'order' },
    el('caption', { class: 'unseen', text: 'Your order' }),
    el('tbody', {}, rows),
    el(
      'tfoot',
      {},
      el('tr', {}, el('th', { scope: 'row', text: 'Total' }), el('td', { text: money(order.amount, order.currency) })),
    ),
  );
}

/// Runs down to a moment on the node's clock; speaks at a minute and at fifteen seconds, not every second.
export function timer(label, signal, over) {
  const figure = el('span', { class: 'time', text: '–:––' });
  const node = el('p', { class: 'timer', role: 'timer', 'aria-live': 'off' }, el('span', { text: label }), ' ', figure);
  let ends = null;
  let last = Infinity;
  const tick = () => {
    if (ends === null) return;
    const left = ends - now();
    setText(figure, countdown(left));
    node.classList.toggle('short', left < 60_000);
    for (const mark of [60_000, 15_000])
      if (last > mark && left <= mark && left > 0) say(`${label}: ${spokenTime(left)}`, true);
    last = left;
    if (left <= 0) {
      ends = null;
      over?.();
    }
  };
  every(250, tick, signal);
  return {
    node,
    until(time) {
      ends = typeof time === 'string' ? Date.parse(time) : time;
      last = Infinity;
      tick();
    },
  };
}

/// A short notice of the operator above everything else.
export function operatorMessage() {
  const node = el('p', { class: 'message', hidden: true });
  return {
    node,
    show(text) {
      if (text && text !== node.textContent) say(text);
      setText(node, text ?? '');
      node.hidden = !text;
    },
  };
}
