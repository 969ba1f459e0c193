"""Whether a narrow sale kept its word: who was let in when, against rate, cap, pauses and order; and when claims, visits and
holds ended. Times are those of the log. Who was let in at which moment is not in the log, but everybody is told until when to
claim: less the claim window, and by the clocks of the entry it was told at, that is the moment."""
import bisect
import datetime

from log_witness import id_text

UNIT = 60_000  # a user's credit, as rate per minute × milliseconds


def ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Ticket:
    def __init__(self, number, user, at):
        self.number = number
        self.user = user
        self.joined = at
        self.admitted = None  # unless its owner never looked in time
        self.claims = []      # (index, at) of those in the log
        self.claimed = None   # the one that counted
        self.gone = None      # when it left, was done or had booked

    def end(self, s):
        """When its place inside is free again at the latest; None: not known."""
        ends = [self.gone] if self.gone is not None else []
        if self.claimed is not None:
            ends.append(self.claimed + s["visit"])
        elif self.admitted is not None:
            ends.append(self.admitted + s["window"])
        return min(ends, default=None)


class Line:
    """The sale as its log tells it, with what its visitors were told where the log is silent."""

    def __init__(self, log, number, settings, history):
        self.s = settings
        self.event = str(number)
        self.history = history
        self.clock = []        # (index, at, wall) of entries that have a time
        self.tickets = []
        self.live = {}         # user: the newest ticket
        self.touches = []      # (index, at, paused behind it) where the event machine had something to do
        self.limits = []       # (at, rate, cap), each from then on
        self.pauses = []       # [from, to]
        self.closed = None     # (index, at)
        self.orders = []       # (index, what, request id) of the operator, each once
        self.visits = {}       # user: (admission id, until, ticket)
        self.holds = {}        # id: dict
        self.owner = {}        # seat: hold id, or True once sold
        self.moved = {}        # seat: index of its last change
        self.bought = {}       # user: seats
        self.decided = {}      # key: [(why or "", index, at, wall, what)]
        self.accepted = {}     # key of a hold: its id
        self.over_limit = []   # what clients were told they have, over the limit
        self.asked = {}        # user: indexes of the joins
        self.mistakes = []
        self.told_tickets = {}  # user: numbers
        for o in history.of("join"):
            if o["status"] < 300:
                self.told_tickets.setdefault(o["body"]["userId"], set()).add(o["answer"]["ticketNumber"])
        self.told_until = {}   # ticket: {wall end of the visit}
        for o in history.of("claim"):
            if o["status"] == 200:
                self.told_until.setdefault(o["answer"]["ticketNumber"], set()).add(ms(o["answer"]["expiresAt"]))
        self.told = {o["key"]: o for o in history.operations if o["key"]}
        for index, _, _, at, commands, wall in log:
            if at:
                self.clock.append((index, at, wall))
            for c in commands:
                kind, _, rest = c["to"].partition("/")
                event, _, user = rest.partition("/")
                if event == self.event:
                    self.apply(index, at, wall, kind, user, c["command"])
        self.by_index = [i for i, _, _ in self.clock]
        self.times = {at for _, at, _ in self.clock}
        self.note_admissions()

    def apply(self, index, at, wall, kind, user, command):
        for id in [id for id, h in self.holds.items() if h["until"] <= at]:
            self.free(id, index)
        for name, body in command.items():
            handler = getattr(self, "on_" + name, None)
            if handler:
                handler(index, at, wall, user, body)
        if kind == "event" and "countReceived" not in command:  # those may be repeated, and are then dropped
            self.touches.append((index, at, bool(self.closed or self.pauses and self.pauses[-1][1] is None)))

    # ---- the line ----

    def is_new_order(self, index, what, c):
        new = c["requestId"] not in [id for *_, id in self.orders]
        if new:
            self.orders.append((index, what, c["requestId"]))
        return new

    def on_defineEvent(self, index, at, wall, user, c):
        self.is_new_order(index, "defined", c)
        if not self.limits:
            self.limits = [(at, self.s["rate"], self.s["cap"])]

    def on_setAdmission(self, index, at, wall, user, c):
        _, rate, cap = self.limits[-1]
        new = c["patch"].get("usersPerMinute", rate), c["patch"].get("maxActiveUsers", cap)
        if new != (rate, cap) and self.is_new_order(index, "admission", c):
            self.limits.append((at, *new))

    def on_controlEvent(self, index, at, wall, user, c):
        if not self.is_new_order(index, {1: "open", 2: "pause", 3: "resume", 4: "close"}[c["action"]], c):
            return
        paused = self.pauses and self.pauses[-1][1] is None
        if c["action"] == 2 and not paused:
            self.pauses.append([at, None])
        elif c["action"] == 3 and paused:
            self.pauses[-1][1] = at
        elif c["action"] == 4 and not self.closed:
            self.closed = (index, at)

    def on_join(self, index, at, wall, user, c):
        self.asked.setdefault(c["user"], []).append(index)
        known = sum(1 for t in self.tickets if t.user == c["user"]) if self.closed else 0
        if c["user"] in self.live or self.closed and known == len(self.told_tickets.get(c["user"], ())):
            return
        if self.closed:
            self.mistakes.append(f"{c['user']} joined after the end, at {at}")
        self.live[c["user"]] = Ticket(len(self.tickets) + 1, c["user"], at)
        self.tickets.append(self.live[c["user"]])

    def on_leave(self, index, at, wall, user, c):
        self.end_visit(c, index, at)

    def on_completeVisit(self, index, at, wall, user, c):
        self.end_visit(c, index, at)

    def end_visit(self, c, index, at):
        t = self.live.get(c["user"])
        if t and t.number == c["ticket"]:
            del self.live[c["user"]]
            t.gone = min(at, t.gone or at)
            self.visits.pop(t.user, None)
            for id in [id for id, h in self.holds.items() if h["user"] == t.user]:
                self.free(id, index)

    def on_claimTurn(self, index, at, wall, user, c):
        t = self.tickets[c["ticket"] - 1]
        t.claims.append((index, at))
        if t.claimed is None and wall + self.s["visit"] in self.told_until.get(t.number, ()):
            t.claimed = at
            self.visits[t.user] = (c["id"], at + self.s["visit"], t)

    # ---- seats ----

    def on_requestHold(self, index, at, wall, user, c):
        key = c["once"]["key"]
        if key in self.accepted:
            return
        seats = [s for p in c["parts"] for s in p["seats"]]
        id = id_text(c["hold"])
        why = self.not_inside(user, c, at)
        has = self.bought.get(user, 0) + sum(len(h["seats"]) for h in self.holds.values() if h["user"] == user)
        if not why and has + len(seats) > self.s["limit"]:
            why = "LIMIT_PER_USER"
        if not why and self.closed:
            why = "EVENT_CLOSED"
        if not why and any(s in self.owner for s in seats):
            why = "SEAT_NOT_AVAILABLE"
        told = self.told.get(key)
        here = told and told["status"] == 201 and told["answer"]["holdId"] == id
        if why in ("", "SEAT_NOT_AVAILABLE") and any(self.moved.get(s) == index for s in seats):
            why = "" if here else "SEAT_NOT_AVAILABLE"  # who of this very entry came first is not for us to know
        if here and has + len(seats) > self.s["limit"]:
            self.over_limit.append((index, user, has, len(seats)))
        until = min(at + self.s["hold"], self.visits[user][1]) if user in self.visits else at
        self.decided.setdefault(key, []).append((why, index, at, wall, (id, until)))
        if not why:
            self.accepted[key] = id
            self.holds[id] = {"user": user, "seats": seats, "until": until, "extended": set()}
            for s in seats:
                self.owner[s] = id
                self.moved[s] = index

    def not_inside(self, user, c, at):
        id, until, _ = self.visits.get(user, (None, 0, None))
        return "" if id == c["admission"] and at < until else "NOT_ADMITTED"

    def on_extendHold(self, index, at, wall, user, c):
        h, key = self.holds.get(id_text(c["hold"])), c["requestId"]
        why = self.not_inside(user, c, at) or ("" if h else "HOLD")
        if not why and key not in h["extended"]:
            h["until"] = min(at + self.s["hold"], self.visits[user][1])
            h["extended"].add(key)
        self.decided.setdefault(key, []).append((why, index, at, wall, (id_text(c["hold"]), h["until"] if h else 0)))

    def on_payHold(self, index, at, wall, user, c):
        key, id = c["once"]["key"], id_text(c["hold"])
        if any(not why for why, *_ in self.decided.get(key, ())):
            return
        h = self.holds.get(id)
        why = "HOLD" if not h else self.not_inside(user, c, at) or ("EVENT_CLOSED" if self.closed else "")
        self.decided.setdefault(key, []).append((why, index, at, wall, (id, 0)))
        if not why:
            del self.holds[id]
            self.bought[user] = self.bought.get(user, 0) + len(h["seats"])
            for s in h["seats"]:
                self.owner[s] = True
            if not any(other["user"] == user for other in self.holds.values()):
                self.visits.pop(user)[2].gone = at

    def free(self, id, index):
        for s in self.holds.pop(id)["seats"]:
            del self.owner[s]
            self.moved[s] = index

    # ---- who was let in when ----

    def entry_at(self, version):
        """(index, at, wall) of the last entry with a time up to there."""
        return self.clock[bisect.bisect_right(self.by_index, version) - 1]

    def sightings(self):
        for o in self.history.operations:
            if o["status"] < 300 and o["name"] in ("join", "look", "claim") and "position" in o["answer"]:
                yield o["answer"]

    def note_admissions(self):
        for seen in self.sightings():
            if seen["state"] != "ADMITTED":
                continue
            _, at, wall = self.entry_at(seen["version"])
            t = self.tickets[seen["ticketNumber"] - 1]
            admitted = ms(seen["claimBefore"]) - wall + at - self.s["window"]
            if t.admitted not in (None, admitted):
                self.mistakes.append(f"ticket {t.number} was let in at {t.admitted}, and at {admitted}")
            if admitted not in self.times or not t.joined <= admitted <= at:
                self.mistakes.append(f"ticket {t.number} was let in at {admitted}, when nothing was logged")
            t.admitted = admitted
        self.inside = [t for t in self.tickets if t.admitted is not None]

    def limits_at(self, at):
        """Rate and cap in force; of two at the very moment, the wider one."""
        behind = [self.limits[1:][n][0] if n + 1 < len(self.limits) else at for n in range(len(self.limits))]
        found = [limit for limit, until in zip(self.limits, behind) if limit[0] <= at <= until] or self.limits[:1]
        return max(rate for _, rate, _ in found), max(cap for *_, cap in found)

    def order_mistakes(self):
        """Nobody is let in before somebody in front, and nobody waits while somebody behind is inside."""
        found = [f"ticket {b.number} was let in before {a.number}" for a, b in zip(self.inside, self.inside[1:])
                 if b.admitted < a.admitted]
        times, highest = [], []
        for t in sorted(self.inside, key=lambda t: t.admitted):
            times.append(t.admitted)
            highest.append(max(t.number, highest[-1] if highest else 0))
        for seen in self.sightings():
            before = bisect.bisect_left(times, self.entry_at(seen["version"])[1])
            if seen["state"] == "WAITING" and before and highest[before - 1] > seen["ticketNumber"]:
                found.append(f"ticket {seen['ticketNumber']} waited behind {highest[before - 1]}")
        return found

    def outflow_mistakes(self):
        """The bucket of one batch, at most, never runs dry: rate × any window, and one."""
        found = []
        (at, rate, _), *changes = self.limits
        credit = UNIT
        for t in sorted(self.inside, key=lambda t: t.admitted):
            while changes and changes[0][0] < t.admitted:
                credit, at, rate = min(UNIT, credit + (changes[0][0] - at) * rate), changes[0][0], changes.pop(0)[1]
            credit, at = min(UNIT, credit + (t.admitted - at) * max(rate, self.limits_at(t.admitted)[0])) - UNIT, t.admitted
            if credit < 0:
                found.append(f"ticket {t.number} was let in at {at}, {-credit / UNIT:.3f} users too early")
                credit = 0
        return found

    def cap_mistakes(self):
        found, there = [], []
        for t in sorted(self.inside, key=lambda t: (t.admitted, t.number)):
            there = [o for o in there if o.end(self.s) > t.admitted] + [t]
            if len(there) > self.limits_at(t.admitted)[1]:
                found.append(f"with ticket {t.number} at {t.admitted} there were {len(there)} inside")
        return found

    def times_full(self):
        """How often somebody was let in as the last one the cap allows."""
        return sum(1 for t in self.inside if self.limits_at(t.admitted)[1] == 1 + sum(
            1 for o in self.inside if o.number < t.number and o.admitted <= t.admitted < o.end(self.s)))

    def pause_mistakes(self):
        ends = [(a, b if b is not None else float("inf")) for a, b in self.pauses] + [(self.closed[1], float("inf"))]
        return [f"ticket {t.number} was let in at {t.admitted}, in a pause or after the end"
                for t in self.inside if any(a < t.admitted < b for a, b in ends)]

    def idle_mistakes(self):
        """Whoever could be let in was, at the next thing the event had to do; so what is over is over for the line as well."""
        found = []
        touched = [i for i, (_, _, shut) in enumerate(self.touches) if not shut]
        times = [self.touches[i][1] for i in touched]
        changes = [0] + [at for at, *_ in self.limits] + [b for _, b in self.pauses if b is not None]
        known = {t.number: t for t in self.inside}
        later = None  # an upper bound for those nobody saw let in
        until = {}
        for t in reversed(self.tickets):
            later = t.admitted if t.admitted is not None else later
            until[t.number] = t.end(self.s) if t.admitted is not None or t.gone is not None else (
                later + self.s["window"] + self.s["visit"] if later is not None else float("inf"))
        for t in self.inside:
            before = t.number - 1
            while before and before not in known and self.tickets[before - 1].gone is not None and \
                    self.tickets[before - 1].gone <= t.admitted and not self.tickets[before - 1].claims:
                before -= 1
            if before not in known:
                continue
            skipped = [self.tickets[n - 1].gone for n in range(before + 1, t.number)]
            rate, cap = self.limits_at(t.admitted)
            # Who left may have been let in a moment before, and nobody saw it.
            ready = max(known[before].admitted, *skipped, *[c for c in changes if c <= t.admitted]) - (-UNIT // rate)
            ready = max(ready, t.joined)
            ends = sorted(until[o.number] for o in self.tickets[:before] if until[o.number] > ready)
            if len(ends) >= cap:
                ready = ends[len(ends) - cap]
            first = bisect.bisect_left(times, ready)
            if first < len(times) and times[first] < t.admitted:
                found.append(f"ticket {t.number} could pass at {ready}, was not at {times[first]}, and was at {t.admitted}")
        return found

    # ---- what is over in time, and not before ----

    def claim_mistakes(self):
        found = []
        for t in self.inside:
            until = t.admitted + self.s["window"]
            first = next((at for _, at in t.claims if t.admitted < at and (t.gone is None or at < t.gone)), None)
            if t.claimed is not None and not t.admitted <= t.claimed < until:
                found.append(f"ticket {t.number}, let in at {t.admitted}, was claimed at {t.claimed}")
            if t.claimed is None and first is not None and first < until:
                found.append(f"ticket {t.number}, let in at {t.admitted}, was refused at {first}")
        for number, told in self.told_until.items():
            if self.tickets[number - 1].claimed is None or len(told) > 1:
                found.append(f"ticket {number} has a visit until {told}, and no such claim is in the log")
        return found

    def state_mistakes(self):
        """Nobody is told to be inside once the time is over, or that it is over before."""
        found = []
        indexes, times = [i for i, _, _ in self.touches], [at for _, at, _ in self.touches]
        for seen in self.sightings():
            t = self.tickets[seen["ticketNumber"] - 1]
            if t.admitted is None:
                continue
            index, at, _ = self.entry_at(seen["version"])
            end = t.admitted + self.s["window"] if t.claimed is None or t.claimed > at else t.claimed + self.s["visit"]
            due = bisect.bisect_left(times, end)
            if seen["state"] in ("ADMITTED", "ACTIVE") and due < len(times) and indexes[due] <= index:
                found.append(f"ticket {t.number} is {seen['state']} at {at}, and its time was over at {end}")
            if seen["state"] == "EXPIRED" and at < end and at < (t.gone or end):
                found.append(f"ticket {t.number} is over at {at}, and had until {end}")
        return found

    def answer_mistakes(self):
        """Holds, extensions and payments: accepted and refused as the log says, for the same reason and until the same moment."""
        found = []
        for o in self.history.of("hold") + self.history.of("pay") + self.history.of("extend"):
            decided = self.decided.get(o["key"], [])
            good = [d for d in decided if not d[0]]
            if o["status"] < 300:
                if not good:
                    found.append((f"accepted, and should not be: {decided}", o))
                elif o["name"] != "pay":
                    id, until = good[0][4]
                    if o["answer"]["holdId"] != id or ms(o["answer"]["expiresAt"]) != until - good[0][2] + good[0][3]:
                        found.append((f"another hold, or another end: {good[0]}", o))
            elif good and o["tries"] == 1:
                found.append((f"refused, and should not be: {good}", o))
            elif not any(self.is_reason(o["answer"]["code"], why) for why, *_ in decided):
                found.append((f"refused for another reason than {decided}", o))
        return found

    @staticmethod
    def is_reason(code, why):
        return code == why or why == "NOT_ADMITTED" and code in ("TOKEN_EXPIRED", "HOLD_UNKNOWN", "HOLD_LAPSED") or \
            why == "HOLD" and code in ("HOLD_UNKNOWN", "HOLD_LAPSED", "NOT_ADMITTED")

    def join_mistakes(self):
        numbers, found = {}, []
        for t in self.tickets:
            numbers.setdefault(t.user, set()).add(t.number)
        for o in self.history.of("join"):
            if o["status"] == 409:
                asked = self.asked.get(o["body"]["userId"], [])
                if o["answer"]["code"] != "EVENT_CLOSED" or not any(self.closed and self.closed[0] <= i for i in asked):
                    found.append((f"refused, the end being {self.closed}: {asked}", o))
            elif o["answer"]["ticketNumber"] not in numbers.get(o["body"]["userId"], ()):
                found.append((numbers.get(o["body"]["userId"]), o))
        return found

    def all_mistakes(self):
        kinds = ("order", "outflow", "cap", "pause", "idle", "claim", "state", "answer", "join")
        found = {kind: getattr(self, kind + "_mistakes")() for kind in kinds}
        found.update(times=self.mistakes, limit=self.over_limit)
        return {kind: mistakes[:3] for kind, mistakes in found.items() if mistakes}
