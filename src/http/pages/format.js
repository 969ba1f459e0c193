// Money, times and numbers as people read them.

const language = navigator.language || 'en';

export const count = (n) => new Intl.NumberFormat(language).format(n);

export function money(minor, currency) {
  if (minor === 0) return 'Free';
  const shape = new Intl.NumberFormat(language, { style: 'currency', currency });
  return shape.format(minor / 10 ** shape.resolvedOptions().maximumFractionDigits);
}

export function prices(categories, currency) {
  const all = categories.map((c) => c.price);
  if (!all.length) return '';
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return low === high ? money(low, currency) : `${money(low, currency)} – ${money(high, currency)}`;
}

function parts(time, timeZone, options) {
  return new Intl.DateTimeFormat(language, { timeZone, ...options }).format(new Date(time));
}

export const date = (event) => parts(event.startsAt, event.timeZone, { dateStyle: 'full' });
export const clock = (event) => parts(event.startsAt, event.timeZone, { timeStyle: 'short' });
export const day = (event) => parts(event.startsAt, event.timeZone, { day: 'numeric' });
export const month = (event) => parts(event.startsAt, event.timeZone, { month: 'short' });
export const moment = (time) => parts(time, undefined, { dateStyle: 'medium', timeStyle: 'short' });

/// 299 000 → "4:59".
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const tail = String(s % 60).padStart(2, '0');
  return h ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`;
}

/// 299 000 → "4 minutes 59 seconds", for those who listen.
export function spokenTime(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(s / 60);
  const words = [];
  if (minutes) words.push(`${minutes} minute${minutes === 1 ? '' : 's'}`);
  if (s % 60 || !minutes) words.push(`${s % 60} second${s % 60 === 1 ? '' : 's'}`);
  return words.join(' ');
}

export function wait({ min, max }) {
  if (max < 10) return 'a few seconds';
  if (max < 60) return 'less than a minute';
  const [low, high] = [Math.floor(min / 60), Math.ceil(max / 60)];
  if (high < 120)
    return low < 1 || low === high ? `about ${high} minute${high === 1 ? '' : 's'}` : `${low} to ${high} minutes`;
  const [from, to] = [Math.floor(min / 3600), Math.ceil(max / 3600)];
  return from === to ? `about ${to} hours` : `${from} to ${to} hours`;
}

export const places = (n) => `${count(n)} place${n === 1 ? '' : 's'}`;

export function seatName(seat) {
  return `Row ${seat.row}, seat ${seat.number}`;
}

/// What a hold or reservation is for, one line per block and row or area.
export function orderLines(order, event) {
  const lines = [];
  const category = (id) => event?.categories?.find((c) => c.id === id)?.name ?? id;
  for (const seat of order.seats ?? []) {
    const block = event?.blocks?.find((b) => b.id === seat.block)?.name ?? seat.block;
    lines.push({ what: seatName(seat), where: `${block} · ${category(seat.category)}`, amount: seat.price });
  }
  if (order.area) {
    const area = event?.areas?.find((a) => a.id === order.area);
    lines.push({ what: places(order.quantity), where: area?.name ?? order.area, amount: order.amount });
  }
  return lines;
}
