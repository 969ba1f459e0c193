// What survives a reload: one journey per event, in this browser. Written before a request leaves, so that a repeat after
// a reload is the same request to the node.

const prefix = 'sluice.';
const memory = new Map(); // where storage is refused, the page still works until it is closed

function read(name, from = () => localStorage) {
  try {
    return JSON.parse(from().getItem(prefix + name));
  } catch {
    return memory.get(name) ?? null;
  }
}

function write(name, value, to = () => localStorage) {
  memory.set(name, value);
  try {
    if (value === null) to().removeItem(prefix + name);
    else to().setItem(prefix + name, JSON.stringify(value));
  } catch {
    // Full or refused: memory has it.
  }
}

export const journey = (event) => read(`journey.${event}`) ?? {};

/// Merges; a field set to undefined goes.
export function update(event, patch) {
  const next = { ...journey(event), ...patch };
  write(`journey.${event}`, next);
  return next;
}

/// Who one is at an event without names: kept for good, so that one browser has one place however often it joins.
export function visitorKey(event) {
  const known = read(`visitor.${event}`);
  if (known) return known;
  const made = newKey();
  write(`visitor.${event}`, made);
  return made;
}

/// Back to the start, except for who one is.
export function restart(event) {
  write(`journey.${event}`, null);
}

/// Where somebody stands, told from what is stored.
export function stepOf(event) {
  const j = journey(event);
  if (j.reservation) return 'receipt';
  if (j.hold) return 'checkout';
  if (j.admission) return 'seats';
  return j.token ? 'line' : 'join';
}

export const user = () => read('user') ?? '';
export const setUser = (name) => write('user', name);

export const bookings = () => read('bookings') ?? [];

export function keepBooking(booking) {
  const others = bookings().filter((b) => b.id !== booking.id);
  write('bookings', [booking, ...others].slice(0, 50));
}

// A card number is kept for the time of one payment, in this tab only.
export const card = (key) => read(`card.${key}`, () => sessionStorage);
export const setCard = (key, number) => write(`card.${key}`, number, () => sessionStorage);

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function newName() {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  return 'guest-' + Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => letters[b % letters.length]).join('');
}

/// Another tab moved on.
export function onOtherTab(call) {
  addEventListener('storage', (e) => {
    if (e.key?.startsWith(prefix + 'journey.')) call();
  });
}
