// Choosing: blocks, seats, standing places, and the order they make.
import * as api from './api.js';
import { busy, button, el, every, say } from './dom.js';
import { money, seatName } from './format.js';
import { Choice } from './choice.js';
import { eventHead, operatorMessage, problemBox, timer } from './parts.js';
import { standing } from './place_stepper.js';
import { overview } from './block_overview.js';
import { endsVisit } from './problems.js';
import { legend } from './seat_legend.js';
import { rowsOf, SeatMap } from './seat_map.js';
import { lookOf, looks } from './seat_shape.js';
import { Stock, together } from './stock.js';
import * as store from './store.js';

export async function mount(root, context) {
  const { id, signal, go, title } = context;
  const event = await api.event(id, { signal });
  const { admission, token } = store.journey(id);
  title('Choose your places');
  const note = operatorMessage();
  const box = problemBox();
  const visit = timer('Your visit ends in', signal, () => gone({ code: 'NOT_ADMITTED' }));
  const category = (seat) => event.categories.find((c) => c.id === seat.category);
  const describe = (seat) =>
    `${category(seat)?.name ?? seat.category}, ${money(category(seat)?.price ?? 0, event.currency)}`;
  let map = null;
  let open = null; // the block on show
  let sending = false;
  const own = new Set();

  const inspector = el('p', { class: 'inspector muted', 'aria-hidden': 'true', text: 'Choose a seat.' });
  const panel = el('div', { class: 'block-panel' });
  const hold = button('Hold these places', holdPlaces, { class: 'main' });
  const choice = new Choice(event, store.journey(id).choice, {
    action: hold,
    changed: (seats) => {
      store.update(id, { choice: choice.stored() });
      seats.forEach((s) => map?.paint(s));
      areas.sync(choice);
    },
    full: () =>
      box.show({ text: `You can take ${event.limitPerUser} at most.`, next: 'Give one back to take another.' }),
  });
  const stock = new Stock(event, {
    signal,
    onSeats: (ids) => {
      ids ? ids.forEach((s) => map?.paint(s)) : map?.paintAll();
      dropTaken();
    },
    onPlaces: () => (blocks.show(stock.places), areas.show(stock.places)),
  });
  const blocks = overview(event, openBlock);
  const areas = standing(event, (area, quantity) => {
    box.clear();
    choice.setArea(area, quantity);
  });

  const look = (seat) => {
    if (choice.has(seat.id)) return 'chosen';
    return own.has(seat.id) ? 'own' : (lookOf[stock.status(seat)] ?? 'blocked');
  };

  function toggle(seat) {
    box.clear();
    const is = look(seat);
    if (is === 'chosen') choice.remove(seat.id);
    else if (is === 'free') choice.add({ ...seat, block: open.id, price: category(seat)?.price ?? 0 });
    else return say(`${seatName(seat)} is ${looks[is]}`);
    say(`${seatName(seat)} ${choice.has(seat.id) ? 'chosen' : 'given back'}. ${choice.summary()}`);
  }

  function inspect(seat) {
    inspector.textContent = seat
      ? `${seatName(seat)} · ${describe(seat).replace(', ', ' · ')} · ${looks[look(seat)]}`
      : 'Choose a seat.';
  }

  async function openBlock(blockId, speak = true) {
    blocks.mark(blockId);
    panel.setAttribute('aria-busy', 'true');
    const block = await stock.open(blockId);
    if (signal.aborted) return;
    open = block;
    store.update(id, { block: blockId });
    map = new SeatMap(block, { categories: event.categories, look, describe, toggle, inspect });
    const most = Math.min(event.limitPerUser || 8, 8);
    const many = el(
      'select',
      { id: 'many', 'aria-label': 'How many side by side' },
      Array.from({ length: most }, (_, i) => el('option', { value: i + 1, text: `${i + 1}` })),
    );
    many.value = Math.min(2, most);
    panel.replaceChildren(
      el(
        'div',
        { class: 'panel-head' },
        el('h2', { text: block.name }),
        el(
          'div',
          { class: 'together' },
          many,
          button('Find side by side', () => findTogether(Number(many.value)), { class: 'quiet' }),
        ),
      ),
      el('p', { class: 'front', text: 'Front', 'aria-hidden': 'true' }),
      map.node,
      inspector,
      legend(event, new Set(block.seats.map((s) => s.category)), own.size > 0),
    );
    panel.setAttribute('aria-busy', 'false');
    if (speak) say(`${block.name}, ${block.available} seats free`);
  }

  function findTogether(n) {
    box.clear();
    choice.clear();
    const found = together(rowsOf(open.seats), n, (seat) => look(seat) === 'free');
    if (!found)
      return box.show({
        text: `There are no ${n} free seats side by side in ${open.name}.`,
        next: 'Look in another block.',
      });
    found.forEach((seat) => choice.add({ ...seat, block: open.id, price: category(seat)?.price ?? 0 }));
    map.reveal(found[0].id);
    say(choice.summary());
  }

  function dropTaken() {
    if (sending || store.journey(id).holding) return; // these may be held for us
    const taken = choice
      .seats()
      .filter((s) => stock.live && stock.status({ ...s, status: 'AVAILABLE' }) !== 'AVAILABLE');
    if (!taken.length) return;
    taken.forEach((s) => choice.remove(s.id));
    box.show({ text: `${taken.map(seatName).join(', ')}: somebody else was faster.`, next: 'Choose another seat.' });
  }

  async function holdPlaces() {
    if (sending || !choice.body()) return;
    box.clear();
    sending = true;
    busy(hold, true);
    const body = choice.body();
    let holding = store.journey(id).holding;
    if (JSON.stringify(holding?.body) !== JSON.stringify(body)) holding = { key: store.newKey(), body };
    store.update(id, { holding });
    try {
      const held = await api.hold(id, admission.token, holding.key, body, { signal });
      store.update(id, { hold: held, holding: undefined });
      say('Your places are held.', true);
      go();
    } catch (problem) {
      if (signal.aborted) return;
      sending = false;
      busy(hold, false);
      if (!problem.passing) store.update(id, { holding: undefined });
      if (endsVisit(problem)) return gone(problem);
      problem.seats.forEach((s) => choice.remove(s));
      box.show(problem);
    }
  }

  function gone(problem) {
    sending = true;
    busy(hold, true);
    box.show(
      problem,
      button('Join again', () => (store.restart(id), go())),
    );
  }

  async function finish() {
    await api.complete(id, token, { signal, tries: 2 }).catch(() => {});
    store.restart(id);
    location.hash = '#/';
  }

  root.append(
    el(
      'div',
      { class: 'head-row' },
      eventHead(event, 'Choose your places'),
      el(
        'div',
        { class: 'visit' },
        visit.node,
        button('Leave', finish, { class: 'quiet', 'aria-label': 'Leave without booking' }),
      ),
    ),
    note.node,
    box.node,
    el(
      'div',
      { class: 'choosing' },
      el(
        'div',
        { class: 'places' },
        event.blocks.length ? el('section', { class: 'card', 'aria-label': 'Seats' }, blocks.node, panel) : null,
        areas.node,
      ),
      el('aside', { class: 'card basket', 'aria-label': 'Your choice' }, choice.node, hold),
    ),
  );
  visit.until(admission.expiresAt);
  areas.sync(choice);

  const reservations = api
    .reservations(admission.token, { signal, tries: 2 })
    .then((all) => {
      for (const r of all) if (['CONFIRMED', 'PAYING'].includes(r.state)) r.seats.forEach((s) => own.add(s.id));
    })
    .catch((problem) => !signal.aborted && endsVisit(problem) && gone(problem));
  await Promise.all([stock.start(), reservations]);
  const first =
    event.blocks.find((b) => b.id === store.journey(id).block) ??
    event.blocks.find((b) => stock.places.get(b.id)?.available) ??
    event.blocks[0];
  if (first) await openBlock(first.id, false);
  if (store.journey(id).holding) {
    // The page was left while this very order was on its way: it is sent again, as the same order.
    choice.restore(store.journey(id).holding.body);
    holdPlaces();
  }
  every(
    8_000,
    () =>
      document.visibilityState === 'visible' &&
      api
        .status(id, { signal, tries: 1 })
        .then((s) => note.show(s.message))
        .catch(() => {}),
    signal,
  );
}
