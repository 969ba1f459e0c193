// The line at the foot of the page: is the node well?
import { setText } from './dom.js';

const every = 15_000;

async function look(line, text) {
  let state = 'bad';
  let words = 'Node not reachable';
  try {
    const answer = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(5_000) });
    const body = await answer.json();
    state = body.ready ? 'good' : 'poor';
    words = body.ready ? 'Node healthy' : `Node not ready: ${body.reasons.join(', ')}`;
  } catch {
    // Said as it is.
  }
  line.dataset.state = state;
  setText(text, words);
}

export function watchHealth(line, text) {
  const again = () => document.visibilityState === 'visible' && look(line, text);
  again();
  setInterval(again, every);
  document.addEventListener('visibilitychange', again);
  addEventListener('online', again);
}
