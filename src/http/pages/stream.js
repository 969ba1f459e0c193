// Follows something on the node: by server-sent events, and by long polls where those do not come through.
import { call, Problem } from './api.js';
import { sleep } from './dom.js';

const openWithin = 5_000; // some proxies hold a stream back until it ends
const pollFor = 60_000; // then a stream is tried again

/// `events`: names to hear. `on(name, data, fresh)`: fresh is true for the first event of a connection.
/// `poll(signal)`: one long poll; calls `on` by itself and returns true when there is nothing more to follow.
export function follow({ path, token, events, on, poll, signal }) {
  let source = null;

  const close = () => {
    source?.close();
    source = null;
  };
  signal.addEventListener('abort', close);

  async function pollAWhile() {
    const until = Date.now() + pollFor;
    while (!signal.aborted && Date.now() < until) {
      try {
        if (await poll(signal)) return;
      } catch (problem) {
        if (signal.aborted) return;
        if (!(problem instanceof Problem) || !problem.passing) return;
        await sleep(problem.retryAfterMs ?? 2_000, signal);
      }
    }
    if (!signal.aborted) listen();
  }

  function listen() {
    if (!('EventSource' in window)) return void pollAWhile();
    let fresh = true;
    let failures = 0;
    const query = token ? `?token=${encodeURIComponent(token)}` : '';
    const mine = (source = new EventSource(path + query));
    const giveUp = () => {
      clearTimeout(late);
      if (source !== mine) return;
      close();
      if (!signal.aborted) pollAWhile();
    };
    const late = setTimeout(giveUp, openWithin);
    mine.onopen = () => {
      clearTimeout(late);
      fresh = true;
      failures = 0;
    };
    mine.onerror = () => {
      if (mine.readyState === EventSource.CLOSED || ++failures >= 2) giveUp();
    };
    for (const name of events) {
      mine.addEventListener(name, (e) => {
        if (signal.aborted || source !== mine) return;
        const first = fresh;
        fresh = false;
        if (on(name, JSON.parse(e.data), first) === 'end') close();
      });
    }
  }

  listen();
}

/// A long poll that answers when the thing changed since `etag`, or after `waitMs`.
export function longPoll(path, { token, etag, waitMs = 20_000, signal }) {
  return call('GET', `${path}?waitMs=${waitMs}`, { token, etag, signal, timeout: waitMs + 10_000, tries: 1 });
}
