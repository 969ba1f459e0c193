// A reservation from PAYING to its end, kept up to date while it is on show.
import * as api from './api.js';
import { busy, button, el, every, isBusy, say, setText, sleep } from './dom.js';
import { money } from './format.js';
import { eventHead, orderTable, problemBox } from './parts.js';
import { explainDecline } from './problems.js';
import { seatPictures } from './seat_legend.js';
import { follow, longPoll } from './stream.js';

const settled = ['CONFIRMED', 'FAILED', 'CANCELLED', 'REFUNDED'];
const slowAfter = 6_000;

const headings = {
  PAYING: 'Your payment is under way',
  CONFIRMED: 'It is yours',
  FAILED: 'The payment did not work',
  STUCK: 'We are looking into it',
  CANCELLING: 'Your booking is being cancelled',
  CANCELLED: 'Your booking is cancelled',
  REFUND_PENDING: 'Your money is on its way back',
  REFUNDED: 'Your money is back',
};

function words(r) {
  switch (r.state) {
    case 'PAYING':
      return 'Your places are kept while the payment provider is asked.';
    case 'CONFIRMED':
      return r.amount
        ? 'The payment is complete. Show the number at the entrance.'
        : 'Confirmed. Show the number at the entrance.';
    case 'FAILED':
      return `${explainDecline(r.reason).text} You were not charged, and your places went back on sale. ${explainDecline(r.reason).next}`;
    case 'STUCK':
      return 'The payment provider has not said for certain whether you paid. Your places stay reserved, and we go on asking. You need not do anything, and must not pay again.';
    case 'CANCELLED':
      return 'The places went back on sale.';
    case 'CANCELLING':
      return 'The places are going back on sale.';
    case 'REFUND_PENDING':
      return `The places went back on sale. ${money(r.amount, r.currency)} are being paid back to your card.`;
    case 'REFUNDED':
      return `${money(r.amount, r.currency)} were paid back to your card.`;
    default:
      return '';
  }
}

/// `actions(reservation)`: what can be done next, as buttons.
export async function showReservation(root, { id, token, signal, title, actions, onState }) {
  let r = await api.reservation(id, token, { signal });
  const event = await api.event(r.event, { signal });
  const box = problemBox();
  const mark = el('div', { class: 'mark', 'aria-hidden': 'true' });
  const heading = el('h2', {});
  const text = el('p', { class: 'lead' });
  const wait = el('progress', { 'aria-label': 'Payment under way' });
  const number = el(
    'p',
    { class: 'reservation-number' },
    el('span', { class: 'muted small', text: 'Reservation number' }),
    el(
      'code',
      {},
      r.reservationId.match(/.{1,4}/g).map((four) => el('span', { text: four })),
    ),
  );
  const buttons = el('div', { class: 'actions' });
  const state = el('section', { class: 'card state-card' }, mark, heading, text, wait, number, box.node, buttons);
  const order = el('section', { class: 'card' }, el('h2', { text: 'What you booked' }), orderTable(r, event));
  const head = eventHead(event);
  root.append(head, el('div', { class: 'columns' }, state, order));
  if (r.seats.length)
    seatPictures(r, event, signal)
      .then((p) => order.append(...p))
      .catch(() => {});

  const since = Date.now();
  let shown = '';
  const show = (next) => {
    if (signal.aborted) return;
    r = next;
    setText(heading, headings[r.state] ?? r.state);
    const slow = r.state === 'PAYING' && Date.now() - since > slowAfter;
    setText(
      text,
      words(r) +
        (slow
          ? ' It takes longer than usual: the provider is asked again. You may close this page; nothing is charged twice.'
          : ''),
    );
    if (shown === r.state) return;
    shown = r.state;
    state.dataset.state = r.state;
    wait.hidden = r.state !== 'PAYING' && r.state !== 'REFUND_PENDING';
    number.hidden = r.state === 'FAILED';
    order.querySelector('h2').textContent = r.state === 'CONFIRMED' ? 'What you booked' : 'Your order';
    title(headings[r.state] ?? 'Booking');
    buttons.replaceChildren(...actions(r), ...(r.state === 'CONFIRMED' ? [cancelButton()] : []));
    say(`${heading.textContent}. ${text.textContent}`, r.state !== 'PAYING');
    onState?.(r, event);
  };

  function cancelButton() {
    const ask = button(
      'Cancel this booking',
      () => {
        const sure = button(
          r.amount ? 'Yes, cancel and refund' : 'Yes, cancel',
          async () => {
            if (isBusy(sure)) return;
            busy(sure, true);
            try {
              show(await api.cancel(id, token, { signal }));
              listen();
            } catch (problem) {
              if (signal.aborted) return;
              busy(sure, false);
              box.show(problem);
            }
          },
          { class: 'danger' },
        );
        const keep = button(
          'Keep it',
          () => {
            question.replaceWith(ask);
            ask.focus();
          },
          { class: 'quiet' },
        );
        const question = el(
          'span',
          { class: 'question', role: 'group', 'aria-label': 'Cancel this booking?' },
          sure,
          keep,
        );
        ask.replaceWith(question);
        keep.focus();
      },
      { class: 'quiet' },
    );
    return ask;
  }

  function listen() {
    const over = new AbortController();
    signal.addEventListener('abort', () => over.abort());
    const hear = (next) => {
      show(next);
      if (settled.includes(next.state)) over.abort();
    };
    follow({
      path: `${api.reservationPath(id)}/stream`,
      token,
      events: ['booking'],
      signal: over.signal,
      on: (_, next) => hear(next),
      poll: async (pollSignal) => {
        const answer = await longPoll(api.reservationPath(id), { token, signal: pollSignal });
        hear(answer.body);
        await sleep(1_000, pollSignal);
        return over.signal.aborted;
      },
    });
  }

  show(r);
  if (!settled.includes(r.state)) listen();
  every(2_000, () => r.state === 'PAYING' && show(r), signal);
}
