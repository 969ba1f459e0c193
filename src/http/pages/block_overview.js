// The blocks of the house, section by section, each with what is left in it.
import { el, setText } from './dom.js';
import { count } from './format.js';

export function overview(event, open) {
  const tiles = new Map();

  const tile = (block) => {
    const left = el('span', { class: 'muted', text: '…' });
    const bar = el('progress', { max: Math.max(block.capacity, 1), value: 0, 'aria-hidden': 'true' });
    const node = el(
      'button',
      { type: 'button', class: 'tile', 'aria-pressed': 'false', on: { click: () => open(block.id) } },
      el('span', { class: 'tile-name', text: block.name }),
      left,
      bar,
    );
    tiles.set(block.id, { node, left, bar });
    return node;
  };

  const node = el(
    'div',
    { class: 'overview' },
    event.sections.map((section) =>
      el(
        'div',
        { role: 'group', 'aria-label': section.name },
        el('h3', { text: section.name }),
        el('div', { class: 'tiles' }, section.blocks.map(tile)),
      ),
    ),
  );

  return {
    node,
    mark(id) {
      for (const [block, t] of tiles) t.node.setAttribute('aria-pressed', block === id ? 'true' : 'false');
    },
    show(places) {
      for (const [id, t] of tiles) {
        const now = places.get(id);
        if (!now) continue;
        setText(t.left, now.available ? `${count(now.available)} free` : 'full');
        t.bar.value = now.available;
        t.bar.max = Math.max(now.capacity, 1);
        t.node.classList.toggle('full', !now.available);
      }
    },
  };
}
