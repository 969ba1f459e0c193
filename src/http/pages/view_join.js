// One event, and the door to its line.
import * as api from './api.js';
import { busy, button, el, every, isBusy, say, setText } from './dom.js';
import { count, money } from './format.js';
import { eventHead, operatorMessage, problemBox } from './parts.js';
import { phase } from './problems.js';
import * as store from './store.js';

function categories(event) {
  const left = new Map();
  const rows = event.categories.map((c) => {
    const cell = el('td', { class: 'muted', text: '…' });
    left.set(c.id, cell);
    return el(
      'tr',
      {},
      el('th', { scope: 'row', text: c.name }),
      el('td', { text: money(c.price, event.currency) }),
      cell,
    );
  });
  const table = el(
    'table',
    { class: 'categories' },
    el('caption', { class: 'unseen', text: 'Prices' }),
    el(
      'thead',
      { class: 'unseen' },
      el(
        'tr',
        {},
        ['Category', 'Price', 'Left'].map((t) => el('th', { scope: 'col', text: t })),
      ),
    ),
    el('tbody', {}, rows),
  );
  return {
    table,
    show: (a) =>
      a.categories.forEach(
        (c) => left.has(c.id) && setText(left.get(c.id), c.available ? `${count(c.available)} left` : 'none left'),
      ),
  };
}

export async function mount(root, { id, signal, go, title }) {
  const event = await api.event(id, { signal });
  title(event.name);
  const table = categories(event);
  const note = operatorMessage();
  const box = problemBox();
  const state = el('p', { class: 'state' });
  const trusted = event.identity === 'trusted';
  const name = el('input', {
    id: 'name',
    name: 'name',
    type: 'text',
    autocomplete: 'email',
    autocapitalize: 'none',
    spellcheck: 'false',
    maxlength: 128,
    required: true,
    'aria-describedby': 'name-help',
    value: store.user(),
  });
  const submit = el('button', { type: 'submit', class: 'main', text: 'Join the line' });
  const form = el(
    'form',
    { class: 'join', novalidate: true },
    trusted
      ? [
          el('label', { for: 'name', text: 'Your e-mail or a name' }),
          el(
            'div',
            { class: 'beside' },
            name,
            button(
              'Make one up',
              () => {
                name.value = store.newName();
                name.focus();
                say(`Your name is ${name.value}`);
              },
              { class: 'quiet' },
            ),
          ),
          el('p', {
            id: 'name-help',
            class: 'muted small',
            text: 'One name has one place in the line, however often it joins.',
          }),
        ]
      : el('p', { class: 'muted', text: 'You need no name here: you get a number.' }),
    box.node,
    submit,
  );

  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    if (isBusy(submit)) return;
    const user = name.value.trim();
    if (trusted && !user) {
      box.show({ text: 'A name is needed.', next: 'Type one, or have one made up.' });
      name.setAttribute('aria-invalid', 'true');
      return name.focus();
    }
    name.removeAttribute('aria-invalid');
    box.clear();
    busy(submit, true);
    if (trusted) store.setUser(user);
    try {
      const who = trusted ? { body: { userId: user } } : { body: {}, key: store.visitorKey(id) };
      const ticket = await api.join(id, who.body, { signal, key: who.key });
      store.update(id, { token: ticket.token, ticket: ticket.ticketNumber, ahead: ticket.usersAhead, user });
      go();
    } catch (problem) {
      busy(submit, false);
      if (!signal.aborted) box.show(problem);
    }
  });

  root.append(
    eventHead(event),
    note.node,
    el(
      'div',
      { class: 'columns' },
      el(
        'section',
        { class: 'card' },
        el('h2', { text: 'Prices' }),
        table.table,
        event.limitPerUser
          ? el('p', { class: 'muted small', text: `At most ${count(event.limitPerUser)} per person.` })
          : null,
      ),
      el('section', { class: 'card' }, el('h2', { text: 'Get in line' }), state, form),
    ),
  );

  const refresh = async () => {
    const [s, a] = await Promise.all([
      api.status(id, { signal, tries: 2 }),
      api.availability(id, { signal, tries: 2 }),
    ]);
    const p = phase(s.phase);
    const waiting = s.waitingUsers
      ? `${count(s.waitingUsers)} ${s.waitingUsers === 1 ? 'person waits' : 'people wait'} in front of you.`
      : p.outside;
    setText(state, p.open ? waiting : `${p.name}. ${p.outside}`);
    state.className = `state phase-${s.phase.toLowerCase()}`;
    const shut = ['SCHEDULED', 'DRAINING', 'CLOSED', 'SOLD_OUT'].includes(s.phase);
    form.hidden = shut;
    table.show(a);
    note.show(s.message);
  };
  await refresh();
  every(3_000, () => document.visibilityState === 'visible' && refresh().catch(() => {}), signal);
}
