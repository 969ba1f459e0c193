// A booking made in this browser, looked at again.
import { el } from './dom.js';
import { showReservation } from './reservation_card.js';
import * as store from './store.js';

export async function mount(root, { id, signal, title }) {
  const booking = store.bookings().find((b) => b.id === id);
  if (!booking) throw Object.assign(new Error('unknown'), { code: 'RESERVATION_UNKNOWN' });
  await showReservation(root, {
    id,
    token: booking.token,
    signal,
    title,
    actions: () => [el('a', { class: 'button', href: '#/', text: 'All events' })],
  });
}
