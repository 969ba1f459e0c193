// Calls to the node. Everything sent here may be sent twice: it is a read, repeats alike by contract, or has a key.
import { sleep } from './dom.js';

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || 'The request failed');
    this.status = status;
    this.code = body.code ?? (status ? 'INTERNAL' : 'OFFLINE');
    this.detail = body.detail ?? '';
    this.seats = body.seats ?? [];
    this.retryAfterMs = body.retryAfterMs;
  }

  /// Nothing was decided: the same request may succeed later.
  get passing() {
    return this.status === 0 || this.status === 503 || this.status === 429 || this.status === 408;
  }
}

// Trouble is shown in one place for the whole page.
let tellTrouble = () => {};
export const onTrouble = (call) => (tellTrouble = call);

// The node's clock decides; this one may be wrong.
let clockOffset = 0;
export const now = () => Date.now() + clockOffset;

function learnClock(answer) {
  const theirs = Date.parse(answer.headers.get('Date') ?? '');
  if (!Number.isFinite(theirs)) return;
  const offset = theirs + 500 - Date.now();
  if (Math.abs(offset - clockOffset) > 1500) clockOffset = Math.abs(offset) > 1500 ? offset : 0;
}

function retryAfter(answer, body) {
  const seconds = Number(answer.headers.get('Retry-After'));
  return seconds > 0 ? seconds * 1000 : body.retryAfterMs;
}

async function once(method, path, options) {
  const headers = { Accept: 'application/json' };
  if (options.token) headers.Authorization = `Bearer ${options.token}`;
  if (options.key) headers['Idempotency-Key'] = options.key;
  if (options.prefer) headers.Prefer = options.prefer;
  if (options.etag) headers['If-None-Match'] = options.etag;
  if (options.body) headers['Content-Type'] = 'application/json';
  const timeout = AbortSignal.timeout(options.timeout ?? 12_000);
  const signal =
    options.signal && AbortSignal.any ? AbortSignal.any([options.signal, timeout]) : (options.signal ?? timeout);
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method,
      headers,
      signal,
      cache: 'no-cache',
      credentials: 'omit',
      body: options.body ? JSON.stringify(options.body) : undefined,
    });
    text = await answer.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, { detail: 'The node can not be reached.' });
  }
  learnClock(answer);
  let body = {};
  try {
    body = text ? JSON.parse(text) : {};
  } catch {
    if (answer.ok) throw new Problem(0, { detail: 'The answer was cut off.' });
  }
  if (!answer.ok && answer.status !== 304) {
    throw new Problem(answer.status, { ...body, retryAfterMs: retryAfter(answer, body) });
  }
  return { status: answer.status, body, etag: answer.headers.get('ETag') };
}

/// Repeats what passes by (no connection, 503, 429), as often as told to and no sooner than asked to.
export async function call(method, path, options = {}) {
  const tries = options.tries ?? 6;
  for (let attempt = 1; ; ++attempt) {
    try {
      const answer = await once(method, path, options);
      tellTrouble(null);
      return answer;
    } catch (problem) {
      const running = problem.code === 'IDEMPOTENCY_KEY_IN_USE';
      if (!(problem instanceof Problem) || !(problem.passing || running)) {
        if (problem instanceof Problem) tellTrouble(null);
        throw problem;
      }
      if (!running) tellTrouble(problem);
      if (attempt >= tries || options.signal?.aborted) throw problem;
      const backoff = Math.min(500 * 2 ** attempt, 8_000) * (0.75 + Math.random() / 2);
      await sleep(Math.max(problem.retryAfterMs ?? 0, backoff), options.signal);
    }
  }
}

const at = (event) => `/api/v1/events/${encodeURIComponent(event)}`;

export const events = (o) => call('GET', '/api/v1/events', o).then((a) => a.body.events);
export const event = (id, o) => call('GET', at(id), o).then((a) => a.body);
export const availability = (id, o) => call('GET', `${at(id)}/availability`, o).then((a) => a.body);
export const block = (id, block, o) =>
  call('GET', `${at(id)}/blocks/${encodeURIComponent(block)}`, o).then((a) => a.body);
export const status = (id, o) => call('GET', `${at(id)}/status`, o).then((a) => a.body);

export const join = (id, body, o) => call('POST', `${at(id)}/queue`, { ...o, body }).then((a) => a.body);
export const claim = (id, token, o) => call('POST', `${at(id)}/queue/admission`, { ...o, token });
export const complete = (id, token, o) => call('POST', `${at(id)}/queue/complete`, { ...o, token });
export const leave = (id, token, o) => call('DELETE', `${at(id)}/queue`, { ...o, token });
export const ticketPath = (id) => `${at(id)}/queue`;
export const seatsPath = (id) => `${at(id)}/seats/stream`;

export const hold = (id, token, key, body, o) =>
  call('POST', `${at(id)}/holds`, { ...o, token, key, body }).then((a) => a.body);
export const ownHold = (id, hold, token, o) =>
  call('GET', `${at(id)}/holds/${hold}`, { ...o, token }).then((a) => a.body);
export const extend = (id, hold, token, key, o) =>
  call('POST', `${at(id)}/holds/${hold}/extend`, { ...o, token, key }).then((a) => a.body);
export const release = (id, hold, token, o) => call('DELETE', `${at(id)}/holds/${hold}`, { ...o, token });
export const pay = (id, hold, token, key, body, o) =>
  call('POST', `${at(id)}/holds/${hold}/payment`, { ...o, token, key, body, prefer: 'wait=2' }).then((a) => a.body);

export const reservations = (token, o) =>
  call('GET', '/api/v1/reservations', { ...o, token }).then((a) => a.body.reservations);
export const reservation = (id, token, o) =>
  call('GET', `/api/v1/reservations/${id}`, { ...o, token }).then((a) => a.body);
export const cancel = (id, token, o) =>
  call('DELETE', `/api/v1/reservations/${id}`, { ...o, token }).then((a) => a.body);
export const reservationPath = (id) => `/api/v1/reservations/${id}`;
