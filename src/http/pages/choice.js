// What one has chosen but not yet holds: seats, or a number of places in one area.
import { button, el, setText } from './dom.js';
import { money, places, seatName } from './format.js';

export class Choice {
  constructor(event, stored, { action, changed, full }) {
    this.event = event;
    this.chosen = new Map((stored?.seats ?? []).map((s) => [s.id, s]));
    this.area = stored?.area ?? null;
    this.quantity = stored?.quantity ?? 0;
    Object.assign(this, { action, changed, full });
    this.list = el('ul', { class: 'chosen' });
    this.empty = el('p', { class: 'muted', text: 'Nothing chosen yet.' });
    this.total = el('span', { class: 'amount' });
    this.totalLine = el('p', { class: 'total' }, el('span', { text: 'Total' }), this.total);
    this.node = el('div', {}, el('h2', { text: 'Your choice' }), this.empty, this.list, this.totalLine);
    this.show();
  }

  stored() {
    return { seats: this.seats(), area: this.area, quantity: this.quantity };
  }

  seats() {
    return [...this.chosen.values()];
  }

  has(id) {
    return this.chosen.has(id);
  }

  add(seat) {
    if (this.event.limitPerUser && this.chosen.size >= this.event.limitPerUser) return this.full();
    // An order is for seats or for an area.
    this.area = null;
    this.quantity = 0;
    this.chosen.set(seat.id, seat);
    this.tell([seat.id]);
  }

  remove(id) {
    if (this.chosen.delete(id)) this.tell([id]);
  }

  clear() {
    const ids = [...this.chosen.keys()];
    this.chosen.clear();
    this.area = null;
    this.quantity = 0;
    this.tell(ids);
  }

  setArea(area, quantity) {
    const ids = [...this.chosen.keys()];
    this.chosen.clear();
    this.area = quantity ? area : null;
    this.quantity = quantity;
    this.tell(ids);
  }

  /// From the body of an order that was already sent.
  restore(body) {
    if (body.area) this.setArea(body.area, body.quantity);
  }

  tell(ids) {
    this.show();
    this.changed(ids);
  }

  body() {
    if (this.area) return { area: this.area, quantity: this.quantity };
    return this.chosen.size ? { seats: [...this.chosen.keys()] } : null;
  }

  amount() {
    if (this.area) {
      const area = this.event.areas.find((a) => a.id === this.area);
      return this.quantity * (this.event.categories.find((c) => c.id === area?.category)?.price ?? 0);
    }
    return this.seats().reduce((sum, s) => sum + s.price, 0);
  }

  summary() {
    const n = this.area ? this.quantity : this.chosen.size;
    return n ? `${places(n)}, ${money(this.amount(), this.event.currency)}` : 'Nothing chosen';
  }

  line(what, where, amount, name, remove) {
    return el(
      'li',
      {},
      el('span', { class: 'what' }, what, el('small', { class: 'muted', text: where })),
      el('span', { class: 'amount', text: money(amount, this.event.currency) }),
      button('×', remove, { class: 'remove', 'aria-label': `Give back ${name}` }),
    );
  }

  show() {
    const lines = this.seats().map((s) => {
      const block = this.event.blocks.find((b) => b.id === s.block)?.name ?? s.block;
      return this.line(seatName(s), block, s.price, `${seatName(s)}, ${block}`, () => this.remove(s.id));
    });
    if (this.area) {
      const name = this.event.areas.find((a) => a.id === this.area)?.name ?? this.area;
      lines.push(this.line(places(this.quantity), name, this.amount(), name, () => this.setArea(null, 0)));
    }
    this.list.replaceChildren(...lines);
    this.empty.hidden = lines.length > 0;
    this.totalLine.hidden = !lines.length;
    setText(this.total, money(this.amount(), this.event.currency));
    this.action.setAttribute('aria-disabled', lines.length ? 'false' : 'true');
  }
}
