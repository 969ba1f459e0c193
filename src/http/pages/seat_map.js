// A block of seats as SVG: a grid to the keyboard and to those who listen, a picture to the rest.
import { el, svg } from './dom.js';
import { seatName } from './format.js';
import { looks, seatPath } from './seat_shape.js';

const cell = 10; // units
const smallest = 24;
const largest = 34;

export function rowsOf(seats) {
  const rows = new Map();
  for (const seat of seats) {
    if (!rows.has(seat.row)) rows.set(seat.row, []);
    rows.get(seat.row).push(seat);
  }
  return [...rows.values()];
}

export class SeatMap {
  /// `describe(seat)`: category and price in words. `toggle(seat)`: chosen or given back. Without `toggle` it is a picture.
  constructor(block, { categories, look, describe, toggle, inspect }) {
    this.rows = rowsOf(block.seats);
    this.columns = Math.max(1, ...this.rows.map((r) => r.length));
    Object.assign(this, { look, describe, toggle, inspect });
    this.categoryIndex = new Map(categories.map((c, i) => [c.id, i]));
    this.paths = new Map();
    this.at = [0, 0];
    this.draw(block);
  }

  draw(block) {
    const width = (this.columns + 3) * cell;
    const height = this.rows.length * cell + 4;
    const label = this.toggle
      ? `${block.name}: ${this.rows.length} rows. Arrow keys move, space chooses.`
      : `${block.name}, your seats marked`;
    this.ring = svg('rect', { class: 'ring', width: cell - 0.6, height: cell - 0.6, rx: 2.4 });
    this.svg = svg('svg', {
      class: 'seat-map',
      viewBox: `0 0 ${width} ${height}`,
      role: this.toggle ? 'grid' : 'img',
      'aria-label': label,
      'aria-multiselectable': this.toggle ? 'true' : undefined,
    });
    this.rows.forEach((row, r) => {
      const line = svg('g', this.toggle ? { role: 'row', 'aria-label': `Row ${row[0].row}` } : {});
      const y = r * cell + cell / 2 + 2;
      for (const x of [cell * 0.7, width - cell * 0.7]) {
        line.append(svg('text', { class: 'row-name', x, y: y + 1.5, 'aria-hidden': 'true', text: row[0].row }));
      }
      row.forEach((seat, i) => {
        const path = svg('path', {
          transform: `translate(${this.x(row, i)} ${y})`,
          'fill-rule': 'evenodd',
          'data-seat': seat.id,
          ...(this.toggle ? { role: 'gridcell', tabindex: -1 } : {}),
        });
        this.paths.set(seat.id, { path, seat, r, i });
        line.append(path);
      });
      this.svg.append(line);
    });
    this.svg.append(this.ring);
    this.node = el('div', { class: 'seat-scroll' }, this.svg);
    for (const id of this.paths.keys()) this.paint(id);
    if (this.toggle) this.listen();
    new ResizeObserver(() => this.fit(width, height)).observe(this.node);
  }

  x(row, i) {
    return (1.5 + (this.columns - row.length) / 2 + i) * cell + cell / 2;
  }

  /// As wide as there is room for, but never too small to touch.
  fit(width, height) {
    const least = this.toggle ? smallest : 12;
    const size = Math.min(largest, Math.max(least, this.node.clientWidth / (width / cell)));
    this.svg.setAttribute('width', (width / cell) * size);
    this.svg.setAttribute('height', (height / cell) * size);
    if (this.fitted) return;
    this.fitted = true;
    this.node.scrollLeft = (this.node.scrollWidth - this.node.clientWidth) / 2;
  }

  reveal(id) {
    const path = this.paths.get(id)?.path;
    if (!path) return;
    const [seat, box] = [path.getBoundingClientRect(), this.node.getBoundingClientRect()];
    this.node.scrollLeft += seat.left - box.left - box.width / 2;
  }

  paint(id) {
    const known = this.paths.get(id);
    if (!known) return;
    const { path, seat, r, i } = known;
    const look = this.look(seat);
    if (known.look === look) return;
    known.look = look;
    const category = this.categoryIndex.get(seat.category) ?? 0;
    path.setAttribute('d', seatPath(look, category));
    path.setAttribute('class', `seat ${look} c${category % 6}`);
    if (!this.toggle) return;
    path.setAttribute('aria-label', `${seatName(seat)}, ${this.describe(seat)}, ${looks[look]}`);
    path.setAttribute('aria-selected', look === 'chosen' ? 'true' : 'false');
    path.setAttribute('aria-disabled', look === 'free' || look === 'chosen' ? 'false' : 'true');
    path.setAttribute('tabindex', r === this.at[0] && i === this.at[1] ? 0 : -1);
  }

  paintAll() {
    for (const id of this.paths.keys()) this.paint(id);
  }

  listen() {
    this.svg.addEventListener('click', (e) => this.press(this.under(e)));
    this.svg.addEventListener('pointermove', (e) => this.inspect(this.under(e)));
    this.svg.addEventListener('pointerleave', () => this.inspect(null));
    this.svg.addEventListener('focusin', (e) => this.focused(this.paths.get(e.target.dataset.seat)));
    this.svg.addEventListener('focusout', () => this.inspect(null));
    this.svg.addEventListener('keydown', (e) => this.key(e));
  }

  /// The seat of an event: what was hit, else whose cell it is.
  under(e) {
    const hit = this.paths.get(e.target.dataset?.seat);
    if (hit) return hit.seat;
    const to = new DOMPoint(e.clientX, e.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    const row = this.rows[Math.floor((to.y - 2) / cell)];
    return row?.[Math.floor((to.x - this.x(row, 0) + cell / 2) / cell)] ?? null;
  }

  press(seat) {
    if (!seat) return;
    const { r, i, path } = this.paths.get(seat.id);
    this.move(r, i);
    path.focus({ preventScroll: true });
    this.toggle(seat);
  }

  move(r, i) {
    const before = this.rows[this.at[0]][this.at[1]];
    this.paths.get(before.id).path.setAttribute('tabindex', -1);
    this.at = [r, i];
    this.current().path.setAttribute('tabindex', 0);
  }

  current() {
    return this.paths.get(this.rows[this.at[0]][this.at[1]].id);
  }

  focused(known) {
    if (!known) return;
    this.ring.setAttribute('x', this.x(this.rows[known.r], known.i) - (cell - 0.6) / 2);
    this.ring.setAttribute('y', known.r * cell + 2.3);
    this.inspect(known.seat);
  }

  /// The seat of row `r` straight above or below where one is.
  nearest(r) {
    const x = this.x(this.rows[this.at[0]], this.at[1]);
    const row = this.rows[r];
    const i = Math.round((x - this.x(row, 0)) / cell);
    return Math.min(row.length - 1, Math.max(0, i));
  }

  key(e) {
    const [r, i] = this.at;
    const row = this.rows[r];
    const lastRow = this.rows.length - 1;
    const to = {
      ArrowLeft: () => [r, Math.max(0, i - 1)],
      ArrowRight: () => [r, Math.min(row.length - 1, i + 1)],
      ArrowUp: () => (r > 0 ? [r - 1, this.nearest(r - 1)] : [r, i]),
      ArrowDown: () => (r < lastRow ? [r + 1, this.nearest(r + 1)] : [r, i]),
      Home: () => (e.ctrlKey ? [0, 0] : [r, 0]),
      End: () => (e.ctrlKey ? [lastRow, this.rows[lastRow].length - 1] : [r, row.length - 1]),
      PageUp: () => [Math.max(0, r - 5), this.nearest(Math.max(0, r - 5))],
      PageDown: () => [Math.min(lastRow, r + 5), this.nearest(Math.min(lastRow, r + 5))],
    }[e.key];
    if (to) {
      e.preventDefault();
      this.move(...to());
      const { path } = this.current();
      path.focus({ preventScroll: true });
      path.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    } else if (e.key === ' ' || e.key === 'Enter') {
      e.preventDefault();
      this.toggle(this.current().seat);
    }
  }
}
