// Held places: pay for them, keep them a little longer, or give them back.
import * as api from './api.js';
import { busy, button, el, isBusy, say } from './dom.js';
import { money } from './format.js';
import { eventHead, orderTable, problemBox, timer } from './parts.js';
import { endsVisit } from './problems.js';
import { seatPictures } from './seat_legend.js';
import * as store from './store.js';
import { rareTestCards, spaced, testCards } from './test_cards.js';

function cardForm() {
  const input = el('input', {
    id: 'card',
    name: 'card',
    type: 'text',
    inputmode: 'numeric',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 23,
    placeholder: '4242 4242 4242 4242',
    'aria-describedby': 'card-help',
  });
  const pick = (c) =>
    button(
      '',
      () => {
        input.value = spaced(c.number);
        input.removeAttribute('aria-invalid');
        say(`Card ${spaced(c.number)}, ${c.what}`);
      },
      { class: 'test-card' },
    );
  const listed = (cards) =>
    cards.map((c) => {
      const b = pick(c);
      b.append(el('code', { text: spaced(c.number) }), el('span', { text: c.what }));
      return el('li', {}, b);
    });
  const node = el(
    'div',
    { class: 'cards' },
    el('label', { for: 'card', text: 'Card number' }),
    input,
    el('p', { id: 'card-help', class: 'muted small', text: 'This is a sandbox: no money moves. Take a test card:' }),
    el('ul', { class: 'test-cards' }, listed(testCards)),
    el(
      'details',
      {},
      el('summary', { text: 'Cards for rare troubles' }),
      el('ul', { class: 'test-cards' }, listed(rareTestCards)),
    ),
  );
  return { node, input, number: () => input.value.replace(/[\s-]/g, '') };
}

export async function mount(root, context) {
  const { id, signal, go, title } = context;
  const event = await api.event(id, { signal });
  const own = store.journey(id);
  const token = own.admission?.token ?? own.token;
  let held = own.hold;
  title('Payment');
  const box = problemBox();
  const left = timer('Held for you for', signal, () => lapsed({ code: 'HOLD_LAPSED' }));
  const free = held.amount === 0;
  const card = free ? null : cardForm();
  const pay = el('button', {
    type: 'submit',
    class: 'main',
    text: free ? 'Confirm' : `Pay ${money(held.amount, held.currency)}`,
  });
  const longer = button('More time', extend, { class: 'quiet' });
  const back = button('Give them back', release, { class: 'quiet' });
  const form = el(
    'form',
    { novalidate: true },
    el('h2', { text: free ? 'Nothing to pay' : 'Pay by card' }),
    card?.node ?? el('p', { class: 'muted', text: 'These places are free of charge. Confirm, and they are yours.' }),
    box.node,
    pay,
  );
  const order = el(
    'section',
    { class: 'card' },
    el('h2', { text: 'Your order' }),
    orderTable(held, event),
    left.node,
    el('p', { class: 'actions' }, longer, back),
  );
  root.append(
    eventHead(event, free ? 'Confirm your places' : 'Pay for your places'),
    el('div', { class: 'columns' }, order, el('section', { class: 'card' }, form)),
  );
  if (held.seats.length)
    seatPictures(held, event, signal)
      .then((p) => order.append(...p))
      .catch(() => {});

  form.addEventListener('submit', (e) => {
    e.preventDefault();
    if (isBusy(pay)) return;
    const number = card?.number() ?? '';
    if (card && !/^\d{12,19}$/.test(number)) {
      box.show({ text: 'A card number has 12 to 19 digits.', next: 'Check it, or take a test card.' });
      card.input.setAttribute('aria-invalid', 'true');
      return card.input.focus();
    }
    card?.input.removeAttribute('aria-invalid');
    // Stored before it is sent. A second click, another tab and a reload all send this very payment again.
    const known = store.journey(id).paying;
    const same = known?.hold === held.holdId && (free || store.card(known.key) === number);
    const paying = same ? known : { key: store.newKey(), hold: held.holdId };
    if (!free) store.setCard(paying.key, number);
    store.update(id, { paying });
    send(paying);
  });

  async function send(paying) {
    box.clear();
    busy(pay, true);
    longer.disabled = back.disabled = true;
    pay.textContent = 'Paying…';
    const number = free ? null : store.card(paying.key);
    try {
      if (!free && !number) return await findReservation(); // another tab has the card: see what became of it
      const body = free ? { method: 'free' } : { method: 'card', card: number };
      taken(await api.pay(id, paying.hold, token, paying.key, body, { signal, timeout: 20_000 }));
    } catch (problem) {
      if (signal.aborted) return;
      if (['PAYMENT_RUNNING', 'IDEMPOTENCY_KEY_REUSED', 'HOLD_UNKNOWN'].includes(problem.code))
        return findReservation(problem);
      unpaid(problem);
    }
  }

  function unpaid(problem) {
    busy(pay, false);
    longer.disabled = back.disabled = false;
    pay.textContent = free ? 'Confirm' : `Pay ${money(held.amount, held.currency)}`;
    if (!problem) return;
    if (!problem.passing) store.update(id, { paying: undefined });
    if (['HOLD_LAPSED', 'HOLD_UNKNOWN'].includes(problem.code)) return lapsed(problem);
    if (endsVisit(problem)) return lapsed(problem, true);
    box.show(problem);
  }

  /// The answer to a payment was lost: the list of one's reservations knows.
  async function findReservation(problem) {
    const all = await api.reservations(own.token, { signal });
    const found = all.find((r) => r.holdId === held.holdId);
    if (found) return taken(found);
    store.update(id, { paying: undefined });
    unpaid(problem);
  }

  function taken(reservation) {
    const { paying } = store.journey(id);
    if (paying) store.setCard(paying.key, null);
    store.update(id, { reservation: reservation.reservationId, hold: undefined, paying: undefined });
    go();
  }

  async function extend() {
    if (isBusy(longer)) return;
    busy(longer, true);
    box.clear();
    const key = store.journey(id).extending ?? store.newKey();
    store.update(id, { extending: key });
    try {
      held = await api.extend(id, held.holdId, token, key, { signal });
      store.update(id, { hold: held, extending: undefined });
      show();
      say('The time was extended.');
    } catch (problem) {
      if (signal.aborted) return;
      if (!problem.passing) store.update(id, { extending: undefined });
      if (['HOLD_LAPSED', 'HOLD_UNKNOWN'].includes(problem.code)) return lapsed(problem);
      if (problem.code === 'EXTENSION_LIMIT') longer.hidden = true;
      box.show(problem);
    } finally {
      busy(longer, false);
    }
  }

  async function release() {
    if (isBusy(back)) return;
    busy(back, true);
    try {
      await api.release(id, held.holdId, token, { signal });
    } catch (problem) {
      if (signal.aborted) return;
      if (!['HOLD_LAPSED', 'HOLD_UNKNOWN', 'NOT_ADMITTED'].includes(problem.code)) {
        busy(back, false);
        return box.show(problem);
      }
    }
    store.update(id, { hold: undefined, paying: undefined });
    say('The places were given back.');
    go();
  }

  function lapsed(problem, visitOver) {
    if (store.journey(id).paying && problem.code === 'HOLD_LAPSED' && isBusy(pay)) return; // the payment decides
    busy(pay, true);
    longer.disabled = back.disabled = true;
    longer.parentElement.hidden = true;
    left.node.hidden = true;
    box.show(
      problem,
      visitOver
        ? button('Join again', () => (store.restart(id), go()))
        : button('Choose again', () => (store.update(id, { hold: undefined, paying: undefined }), go())),
    );
  }

  function show() {
    left.until(api.now() + held.expiresInSeconds * 1000);
  }

  if (own.paying) {
    left.until(held.expiresAt);
    return send(own.paying);
  }
  try {
    held = await api.ownHold(id, held.holdId, token, { signal });
    store.update(id, { hold: held });
    show();
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.code === 'PAYMENT_RUNNING' || problem.code === 'HOLD_UNKNOWN') return findReservation(problem);
    lapsed(problem, endsVisit(problem));
  }
}
