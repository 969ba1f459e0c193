"""Shapes of answers, written down once as the contract names them."""
import re

from harness import Case, Customer

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
ID = re.compile(r"^[A-Za-z0-9._~-]{1,64}$")


def is_time(value):
    return isinstance(value, str) and TIME.match(value) is not None


def is_id(value):
    return isinstance(value, str) and ID.match(value) is not None


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_text(value):
    return isinstance(value, str)


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_flag(value):
    return isinstance(value, bool)


def one_of(*words):
    return lambda value: value in words


PHASE = one_of("SCHEDULED", "PREQUEUE", "OPEN", "QUEUEING", "PAUSED", "DRAINING", "SOLD_OUT", "CLOSED")
SEAT_STATUS = one_of("AVAILABLE", "HELD", "CONFIRMED", "BLOCKED")
WAIT = {"min": is_count, "max": is_count}
COUNTS = {name: is_count for name in ("available", "held", "confirmed", "blocked", "capacity")}

TICKET = {"state": one_of("WAITING", "AWAY", "STANDBY", "ADMITTED", "ACTIVE", "COMPLETED", "LEFT", "EXPIRED"),
          "ticketNumber": is_count, "position": is_count, "usersAhead": is_count, "waitingUsers": is_count,
          "estimatedWaitSeconds": WAIT, "pollAfterMs": is_count, "claimBefore?": is_time, "expiresAt?": is_time,
          "token?": is_text}
JOINED = {**TICKET, "expiresAt": is_time, "token": is_text}
CLAIMED = {"admissionToken": is_text, "expiresAt": is_time}
STATUS = {"phase": PHASE, "nowServing": is_count, "lastTicket": is_count, "waitingUsers": is_count,
          "activeUsers": is_count, "usersPerMinute": is_count, "estimatedWaitSeconds": WAIT, "availability": COUNTS,
          "message": is_text, "asOf": is_time, "version": is_count}

EVENT = {"id": is_id, "name": is_text, "venue": is_text, "startsAt": is_time, "phase": PHASE}
EVENT_IN_FULL = {**EVENT, "categories": [{"id": is_id, "price": is_count}],
                 "sections": [{"id": is_id, "blocks": [{"id": is_id}]}], "blocks": [{"id": is_id}],
                 "areas": [{"id": is_id, "capacity": is_count}], "saleWindow": {}}
AVAILABILITY = {"version": is_count, "categories": [{"id": is_id, **COUNTS}], "blocks": [{"id": is_id, **COUNTS}],
                "areas": [{"id": is_id, **COUNTS}]}
BLOCK = {"id": is_id, "version": is_count, "seats": [
    {"id": is_text, "row": is_text, "number": is_text, "category": is_id, "status": SEAT_STATUS}]}
HOLD = {"holdId": is_id, "seats": [{"id": is_text}], "area?": is_id, "quantity?": is_count, "amount": is_count,
        "currency": lambda v: re.match("^[A-Z]{3}$", v), "state": one_of("HELD"), "expiresAt": is_time,
        "expiresInSeconds": is_count}
RESERVATION_STATE = one_of("PAYING", "CONFIRMED", "FAILED", "CANCELLING", "CANCELLED", "REFUND_PENDING", "REFUNDED",
                           "STUCK")
PAYING = {"reservationId": is_id, "state": one_of("PAYING")}
RESERVATION = {"reservationId": is_id, "state": RESERVATION_STATE, "reason?": is_text}
RANKED = {"concertDate": lambda v: re.match(r"^\d{4}-\d\d-\d\d$", v), "soldOutCount": is_count, "rank": is_count}

PROBLEM = {"type": is_text, "title": is_text, "status": is_count, "detail": is_text, "instance?": is_text,
           "code": lambda v: re.match("^[A-Z][A-Z_]*$", v), "requestId": is_text, "retryAfterMs?": is_count,
           "errors?": [{"pointer": is_text, "detail": is_text}]}


def mistakes(value, shape, at=""):
    """What does not fit, as text. Fields beyond the shape may be added, so they are none."""
    if callable(shape):
        return [] if shape(value) else [f"{at or '/'}: {value!r} is not of the agreed form"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at}: {value!r} is not a list"]
        return [m for i, item in enumerate(value) for m in mistakes(item, shape[0], f"{at}/{i}")]
    if not isinstance(value, dict):
        return [f"{at or '/'}: {value!r} is not an object"]
    found = []
    for name, inner in shape.items():
        field = name.removesuffix("?")
        if field in value:
            found += mistakes(value[field], inner, f"{at}/{field}")
        elif field == name:
            found.append(f"{at}/{field}: missing")
    return found


class ContractCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()

    def assert_shape(self, value, shape):
        self.assertEqual(mistakes(value, shape), [], value)

    def customer(self, event, user=None):
        return Customer(self.node, event, user)
