// Every code a visitor can meet, as a sentence and what to do next.

const known = {
  SEAT_NOT_AVAILABLE: ['Somebody else was faster: at least one of these seats is taken.', 'Choose other seats.'],
  HOLD_UNKNOWN: ['These seats are no longer set aside for you.', 'Choose your seats again.'],
  HOLD_LAPSED: ['The time to pay ran out, and the seats went back on sale.', 'Choose your seats again.'],
  LIMIT_PER_USER: ['That is more than one person may book for this event.', 'Choose fewer, or look at your bookings.'],
  PAYMENT_RUNNING: ['This payment is already under way.', 'Wait a moment; nothing is charged twice.'],
  RESERVATION_UNKNOWN: ['This booking can not be found.', 'Go back to the events.'],
  NOT_CANCELLABLE: ['This booking can not be cancelled now.', 'Look again in a moment.'],
  EXTENSION_LIMIT: ['There is no more extra time for these seats.', 'Pay before the time runs out.'],
  METHOD_NOT_ACCEPTED: ['This way of paying does not fit the amount.', 'Reload the page and try again.'],
  SEAT_UNKNOWN: ['The seating plan has changed.', 'Reload the page and choose again.'],
  AREA_UNKNOWN: ['The seating plan has changed.', 'Reload the page and choose again.'],
  TOO_MANY_SEATS: ['Those are too many seats for one order.', 'Choose fewer.'],
  NOT_ADMITTED: ['Your visit is over, so nothing more can be chosen with it.', 'Join the line again.'],
  TICKET_UNKNOWN: ['Your place in this line is no longer known.', 'Join the line again.'],
  TICKET_EXPIRED: ['Your turn has passed.', 'Join the line again.'],
  EVENT_NOT_OPEN: ['The sale has not begun yet.', 'Come back when it opens.'],
  EVENT_CLOSED: ['The sale is closed.', 'Look at the other events.'],
  SOLD_OUT: ['Everything is sold.', 'Places return when somebody cancels: look again later.'],
  QUEUE_CAPACITY_EXCEEDED: ['The line is full for now.', 'Try again in half a minute.'],
  API_RATE_LIMITED: ['That were too many orders for one day.', 'Try again in an hour.'],
  OFFLINE: ['There is no connection to the node.', 'It goes on by itself once you are online.'],
  NOT_LEADER: ['The system is moving this sale to another machine.', 'Try again in a few seconds.'],
  OVERLOADED: ['A great many people are here right now.', 'Try again in a few seconds.'],
  TIMED_OUT: ['The answer took too long.', 'Try again: nothing is booked twice.'],
  SHUTTING_DOWN: ['This node is being restarted.', 'Try again in a few seconds.'],
  NODE_NOT_READY: ['This node is starting.', 'Try again in a few seconds.'],
  TOO_MANY_CONNECTIONS: ['A great many people are here right now.', 'Try again in a few seconds.'],
  STORAGE_FAILED: ['This node can not store anything at the moment.', 'Try again later.'],
  REQUEST_TIMEOUT: ['The request arrived too slowly.', 'Try again.'],
  IDEMPOTENCY_KEY_IN_USE: ['The same request is still being worked on.', 'Wait a moment.'],
  IDEMPOTENCY_KEY_REUSED: [
    'This order was already sent with other details.',
    'Reload the page to see what became of it.',
  ],
  UNAUTHENTICATED: ['This browser no longer knows who you are.', 'Join the line again.'],
  TOKEN_INVALID: ['Your ticket is not valid here any more.', 'Join the line again.'],
  TOKEN_EXPIRED: ['Your ticket is too old.', 'Join the line again.'],
  EVENT_UNKNOWN: ['There is no such event any more.', 'Look at the other events.'],
  BLOCK_UNKNOWN: ['The seating plan has changed.', 'Reload the page.'],
  NOT_FOUND: ['There is nothing at this address.', 'Go back to the events.'],
  INTERNAL: ['Something went wrong on our side.', 'Try again in a moment; nothing is booked twice.'],
  BAD_ID: ['This name can not be used.', 'Take 1 to 128 ordinary characters.'],
};

const declined = {
  INSUFFICIENT_FUNDS: [
    'The card was declined: there is not enough money on it.',
    'Choose again and pay with another card.',
  ],
  PAYMENT_DECLINED: ['The card was declined.', 'Choose again and pay with another card.'],
  CAPTURE_DECLINED: ['The bank agreed first and then refused to pay.', 'Choose again and pay with another card.'],
  CAPTURE_REFUSED: ['The bank agreed first and then refused to pay.', 'Choose again and pay with another card.'],
  PROVIDER_UNREACHABLE: [
    'The payment provider did not answer in time.',
    'Choose again and try once more, or take another card.',
  ],
};

/// {text, next} of anything thrown.
export function explain(problem) {
  const [text, next] = known[problem?.code] ?? ['Something went wrong.', 'Reload the page and try again.'];
  return { text, next };
}

/// Why a payment failed, from the reservation's reason.
export function explainDecline(reason) {
  const [text, next] = declined[reason] ?? declined.PAYMENT_DECLINED;
  return { text, next };
}

/// The visit behind the tokens is over: what is stored about it is of no use.
export function endsVisit(problem) {
  return [
    'NOT_ADMITTED',
    'TICKET_UNKNOWN',
    'TICKET_EXPIRED',
    'UNAUTHENTICATED',
    'TOKEN_INVALID',
    'TOKEN_EXPIRED',
    'EVENT_UNKNOWN',
  ].includes(problem?.code);
}

const phases = {
  SCHEDULED: ['Not on sale yet', 'The sale has not begun.'],
  PREQUEUE: ['Opens soon', 'People gather; nobody is let in yet.'],
  OPEN: ['On sale', 'There is no line at the moment.'],
  QUEUEING: ['On sale', 'People are let in one after the other.'],
  PAUSED: [
    'Paused',
    'The sale is paused. Nobody is let in for now, and you keep your place.',
    'Nobody is let in for now. You may join the line already.',
  ],
  DRAINING: ['Last call', 'The line takes nobody new; those in it are still served.'],
  SOLD_OUT: [
    'Sold out',
    'Everything is sold or being paid for. If something comes back, the line moves on, and you keep your place.',
    'Everything is sold or being paid for. Places come back when somebody cancels: look again later.',
  ],
  CLOSED: ['Closed', 'The sale has ended. Nobody else is let in.'],
};

/// `text` is for those in the line, `outside` for those in front of it.
export function phase(word) {
  const [name, text, outside] = phases[word] ?? [word, ''];
  return { name, text, outside: outside ?? text, open: word === 'OPEN' || word === 'QUEUEING' };
}
