// The place in line, until it is one's turn.
import * as api from './api.js';
import { busy, button, el, every, isBusy, say, setText, sleep } from './dom.js';
import { count, wait } from './format.js';
import { eventHead, operatorMessage, problemBox, timer } from './parts.js';
import { endsVisit, phase } from './problems.js';
import * as store from './store.js';
import { follow, longPoll } from './stream.js';

const speakEvery = 15_000;
const ends = {
  EXPIRED: [
    'Your turn has passed',
    'A turn waits only for a while, and this one was not taken in time. You can join again at the end of the line.',
  ],
  LEFT: ['You left the line', 'You can join again at the end of the line.'],
  COMPLETED: ['Your visit is complete', 'What you booked is yours. You can join again for more.'],
};

export async function mount(root, context) {
  const { id, signal, go, title } = context;
  const event = await api.event(id, { signal });
  title('In line');
  const own = store.journey(id);
  const note = operatorMessage();
  const box = problemBox();
  const place = el('span', { class: 'place', text: '…' });
  const label = el('span', { class: 'place-label', text: 'your place in line' });
  const bar = el('progress', { max: 1, 'aria-label': 'How far you have come' });
  const ahead = el('dd', { text: '…' });
  const estimate = el('dd', { text: '…' });
  const behind = el('dd', { text: '…' });
  const why = el('p', { class: 'why', hidden: true });
  const fact = (name, value) => el('div', {}, el('dt', { text: name }), value);
  const leave = button('Leave the line', leaveLine, { class: 'quiet' });
  const waiting = el(
    'section',
    { class: 'card waiting' },
    el('p', { class: 'big' }, place, label),
    bar,
    el(
      'dl',
      { class: 'facts' },
      fact('Ahead of you', ahead),
      fact('Estimated wait', estimate),
      fact('In line altogether', behind),
    ),
    why,
    el('p', {
      class: 'muted small',
      text: `Keep this page open. You may reload it: ticket ${own.ticket} stays yours.`,
    }),
    leave,
  );

  const enter = button('Go in now', () => claim(), { class: 'main' });
  const left = timer('Your turn waits for', signal, () => claim());
  const turn = el(
    'section',
    { class: 'card turn', hidden: true },
    left.node,
    enter,
    el('p', { class: 'muted small', text: 'You are taken in by yourself while this page is in front of you.' }),
  );
  const over = el('section', { class: 'card notice', hidden: true });
  const head = eventHead(event, 'You are in line');
  const heading = head.querySelector('h1');
  root.append(head, note.node, box.node, waiting, turn, over);

  let seen = {};
  let spoke = 0;
  let claiming = false;
  const following = new AbortController();
  signal.addEventListener('abort', () => following.abort());

  function end(state, phaseWord) {
    following.abort();
    const closed = phaseWord === 'CLOSED';
    const [what, text] = closed ? ['The sale has ended', 'Nobody else is let in.'] : (ends[state] ?? ends.EXPIRED);
    waiting.hidden = turn.hidden = true;
    over.hidden = false;
    setText(heading, what);
    title(what);
    over.replaceChildren(
      el('p', { text }),
      el(
        'p',
        { class: 'actions' },
        closed ? null : button('Join again', () => (store.restart(id), go()), { class: 'main' }),
        el('a', { class: 'button', href: '#/', on: { click: () => store.restart(id) }, text: 'All events' }),
      ),
    );
    say(what, true);
  }

  function show(v) {
    if (signal.aborted || following.signal.aborted) return;
    seen = v;
    note.show(v.message);
    if (ends[v.state]) return end(v.state, v.phase);
    const called = v.state === 'ADMITTED' || v.state === 'ACTIVE';
    waiting.hidden = called;
    turn.hidden = !called;
    setText(heading, called ? 'It is your turn' : 'You are in line');
    if (called) return callIn(v);
    const known = store.journey(id);
    const most = Math.max(known.ahead ?? 0, v.usersAhead);
    if (most !== known.ahead) store.update(id, { ahead: most });
    setText(place, count(v.position));
    setText(ahead, v.usersAhead === 0 ? 'nobody' : count(v.usersAhead));
    setText(behind, count(v.waitingUsers));
    const stopped = ['PAUSED', 'SOLD_OUT', 'SCHEDULED'].includes(v.phase);
    setText(estimate, stopped ? 'unknown for now' : wait(v.estimatedWaitSeconds));
    bar.value = most ? (most - v.usersAhead) / most : 1;
    why.hidden = !stopped;
    setText(why, stopped ? `${phase(v.phase).name}. ${phase(v.phase).text}` : '');
    title(`${count(v.position)} in line`);
    if (Date.now() - spoke > speakEvery) {
      spoke = Date.now();
      say(stopped ? why.textContent : `You are number ${v.position} in line. Estimated wait: ${estimate.textContent}.`);
    }
  }

  function callIn(v) {
    if (v.claimBefore) left.until(v.claimBefore);
    left.node.hidden = !v.claimBefore;
    title('It is your turn');
    if (document.visibilityState === 'visible') claim();
  }

  async function claim() {
    if (claiming || signal.aborted) return;
    claiming = true;
    busy(enter, true);
    try {
      const { status, body } = await api.claim(id, own.token, { signal });
      if (status === 200) {
        store.update(id, { admission: { token: body.admissionToken, expiresAt: body.expiresAt } });
        say('It is your turn. Choose your places.', true);
        return go();
      }
      show(body);
    } catch (problem) {
      if (signal.aborted) return;
      if (endsVisit(problem)) return end('EXPIRED', seen.phase);
      box.show(problem);
    } finally {
      claiming = false;
      busy(enter, false);
    }
  }

  async function leaveLine() {
    if (isBusy(leave)) return;
    busy(leave, true);
    try {
      await api.leave(id, own.token, { signal });
    } catch (problem) {
      if (signal.aborted) return;
      if (!endsVisit(problem)) {
        busy(leave, false);
        return box.show(problem);
      }
    }
    store.restart(id);
    location.hash = '#/';
  }

  document.addEventListener(
    'visibilitychange',
    () => {
      if (document.visibilityState === 'visible' && !turn.hidden) claim();
    },
    { signal },
  );

  let etag;
  const poll = async (pollSignal) => {
    const answer = await longPoll(api.ticketPath(id), { token: own.token, etag, signal: pollSignal }).catch(
      (problem) => {
        if (endsVisit(problem) && !pollSignal.aborted) end('EXPIRED');
        throw problem;
      },
    );
    etag = answer.etag ?? etag;
    if (answer.status === 200) show(answer.body);
    await sleep(250, pollSignal);
    return following.signal.aborted;
  };
  try {
    const answer = await api.call('GET', api.ticketPath(id), { token: own.token, signal });
    show(answer.body);
  } catch (problem) {
    if (signal.aborted) return;
    if (!endsVisit(problem)) throw problem;
    return end('EXPIRED');
  }
  // A lost claim is tried again while the turn waits.
  every(5_000, () => !turn.hidden && document.visibilityState === 'visible' && claim(), signal);
  follow({
    path: `${api.ticketPath(id)}/stream`,
    token: own.token,
    events: ['position', 'admitted', 'expired', 'notice'],
    poll,
    signal: following.signal,
    on: (name, data) => (name === 'notice' ? note.show(data.message) : show(data)),
  });
}
