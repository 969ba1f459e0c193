// Standing areas: how many places, up and down.
import { button, el, setText } from './dom.js';
import { count, money } from './format.js';

export function standing(event, changed) {
  const known = new Map();

  const card = (area) => {
    const category = event.categories.find((c) => c.id === area.category);
    const most = Math.min(event.limitPerUser || 50, 50);
    const input = el('input', {
      type: 'number',
      id: `area-${area.id}`,
      min: 0,
      max: most,
      step: 1,
      value: 0,
      inputmode: 'numeric',
    });
    const left = el('span', { class: 'muted', text: '…' });
    const set = (n) => {
      input.value = Math.max(0, Math.min(most, Number.isFinite(n) ? Math.round(n) : 0));
      changed(area.id, Number(input.value));
    };
    input.addEventListener('change', () => set(Number(input.value)));
    const step = (sign, by, name) =>
      button(sign, () => set(Number(input.value) + by), {
        class: 'step',
        'aria-label': `${name} place in ${area.name}`,
      });
    known.set(area.id, { input, left });
    return el(
      'div',
      { class: 'area' },
      el(
        'div',
        {},
        el('label', { for: `area-${area.id}`, text: area.name }),
        el(
          'p',
          { class: 'muted small' },
          `${category?.name ?? ''} ${money(category?.price ?? 0, event.currency)} · `,
          left,
        ),
      ),
      el('div', { class: 'stepper' }, step('−', -1, 'One fewer'), input, step('+', 1, 'One more')),
    );
  };

  const node = event.areas.length
    ? el(
        'section',
        { class: 'card areas' },
        el('h2', { text: event.blocks.length ? 'Standing' : 'Places' }),
        event.areas.map(card),
      )
    : el('div', { hidden: true });

  return {
    node,
    show(places) {
      for (const [id, a] of known) {
        const now = places.get(id);
        if (now)
          setText(a.left, now.available ? `${count(now.available)} of ${count(now.capacity)} left` : 'none left');
      }
    },
    sync(choice) {
      for (const [id, a] of known) a.input.value = choice.area === id ? choice.quantity : 0;
    },
  };
}
