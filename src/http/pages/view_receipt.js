// The end of a journey: what became of the payment, and what to do next.
import { button, el } from './dom.js';
import { showReservation } from './reservation_card.js';
import * as store from './store.js';

export async function mount(root, { id, signal, go, title, step }) {
  const own = store.journey(id);
  const again = () => {
    store.restart(id);
    go();
  };
  const choose = () => {
    store.update(id, { reservation: undefined, hold: undefined, paying: undefined });
    go();
  };
  await showReservation(root, {
    id: own.reservation,
    token: own.token,
    signal,
    title,
    onState: (r, event) => {
      step(['PAYING', 'FAILED'].includes(r.state) ? 'checkout' : 'receipt');
      if (r.state !== 'CONFIRMED') return;
      store.update(id, { choice: undefined });
      store.keepBooking({
        id: r.reservationId,
        name: event.name,
        token: own.token,
        amount: r.amount,
        currency: r.currency,
        at: r.createdAt,
      });
    },
    actions: (r) => {
      if (r.state === 'FAILED')
        return [
          button('Choose again', choose, { class: 'main' }),
          el('a', { class: 'button', href: '#/', text: 'All events' }),
        ];
      if (r.state === 'PAYING') return [];
      return [
        el('a', { class: 'button', href: '#/', text: 'All events' }),
        button('Book more', again, { class: 'quiet' }),
      ];
    },
  });
}
