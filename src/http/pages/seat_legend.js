// What shapes and signs of the seat map mean, and the picture of one's own seats.
import * as api from './api.js';
import { el, svg } from './dom.js';
import { money } from './format.js';
import { SeatMap } from './seat_map.js';
import { looks, seatPath } from './seat_shape.js';

const sign = (look, category) =>
  svg(
    'svg',
    { class: 'sign', viewBox: '-5 -5 10 10', width: 18, height: 18, 'aria-hidden': 'true' },
    svg('path', { class: `seat ${look} c${category % 6}`, d: seatPath(look, category), 'fill-rule': 'evenodd' }),
  );

export function legend(event, used, own) {
  const list = event.categories.map((c, i) => [c, i]).filter(([c]) => used.has(c.id));
  return el(
    'ul',
    { class: 'legend', 'aria-label': 'What the signs mean' },
    list.map(([c, i]) => el('li', {}, sign('free', i), `${c.name} ${money(c.price, event.currency)}`)),
    ['chosen', ...(own ? ['own'] : []), 'held', 'sold'].map((look) =>
      el('li', {}, sign(look, list[0]?.[1] ?? 0), looks[look]),
    ),
  );
}

/// Where somebody sits: the blocks of an order with its seats marked.
export async function seatPictures(order, event, signal) {
  const mine = new Set(order.seats.map((s) => s.id));
  const blocks = [...new Set(order.seats.map((s) => s.block))].slice(0, 3);
  return Promise.all(
    blocks.map(async (id) => {
      const block = await api.block(event.id, id, { signal });
      const map = new SeatMap(block, {
        categories: event.categories,
        look: (seat) => (mine.has(seat.id) ? 'chosen' : 'blocked'),
      });
      return el(
        'figure',
        { class: 'where' },
        el('p', { class: 'front', text: 'Front', 'aria-hidden': 'true' }),
        map.node,
        el('figcaption', { class: 'muted small', text: block.name }),
      );
    }),
  );
}
