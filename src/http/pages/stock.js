// What is free, kept up to date: by the event's seat stream, or by looking again every few seconds.
import * as api from './api.js';
import { sleep } from './dom.js';
import { follow } from './stream.js';

const lookEvery = 3_000;

export class Stock {
  /// `onSeats(ids)`: those seats changed, all of them without ids. `onPlaces()`: counts of blocks or areas changed.
  constructor(event, { signal, onSeats, onPlaces }) {
    this.event = event;
    this.statuses = new Map();
    this.places = new Map();
    this.live = false;
    this.onSeats = onSeats;
    this.onPlaces = onPlaces;
    this.signal = signal;
    this.block = null;
  }

  async start() {
    this.take(await api.availability(this.event.id, { signal: this.signal }));
    follow({
      path: api.seatsPath(this.event.id),
      events: ['seats'],
      signal: this.signal,
      on: (_, data, fresh) => this.hear(data, fresh),
      poll: async (signal) => {
        this.live = false;
        this.take(await api.availability(this.event.id, { signal, tries: 1 }));
        if (this.block) await this.open(this.block);
        await sleep(lookEvery, signal);
      },
    });
  }

  /// The seats of a block, as they are now.
  async open(id) {
    this.block = id;
    const block = await api.block(this.event.id, id, { signal: this.signal });
    // The stream is ahead of a cached answer.
    if (!this.live) for (const seat of block.seats) this.statuses.set(seat.id, seat.status);
    this.onSeats();
    return block;
  }

  status(seat) {
    return this.statuses.get(seat.id) ?? (this.live ? 'AVAILABLE' : seat.status);
  }

  take(availability) {
    for (const place of [...availability.blocks, ...availability.areas]) this.places.set(place.id, place);
    this.onPlaces();
  }

  hear(data, fresh) {
    if (fresh) {
      // The first event of a connection names every seat that is not free.
      this.statuses = new Map();
      this.live = true;
    }
    for (const seat of data.seats) this.statuses.set(seat.id, seat.status);
    for (const place of data.places) this.places.set(place.id, place);
    if (fresh) this.onSeats();
    else if (data.seats.length) this.onSeats(data.seats.map((s) => s.id));
    if (data.places.length) this.onPlaces();
  }
}

/// `n` free seats side by side: the nearest to the front, and there the nearest to the middle. Null if there are none.
export function together(rows, n, isFree) {
  for (const row of rows) {
    let best = null;
    for (let from = 0; from + n <= row.length; ++from) {
      const run = row.slice(from, from + n);
      if (!run.every(isFree)) continue;
      const off = Math.abs(from + n / 2 - row.length / 2);
      if (!best || off < best.off) best = { run, off };
    }
    if (best) return best.run;
  }
  return null;
}
