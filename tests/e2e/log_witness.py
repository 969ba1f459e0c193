"""The logs of all replicas, copied while they grow, against what clients were told: one order that everybody agrees on,
replayed by a model that shares nothing with the machines."""
import base64
import json
import threading
import time


def id_text(encoded):
    """An id as clients see it, from the log's Base64."""
    return base64.b32encode(base64.b64decode(encoded)).decode().rstrip("=").lower()


class Recorder(threading.Thread):
    """Copies what every node has applied of one partition, page by page."""

    def __init__(self, cluster, partition, every=0.5):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.partition = partition
        self.every = every
        self.entries = {n.number: {} for n in cluster.nodes}  # of each node: index to (term, kind, at, commands, wall)
        self.differ = []
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(self.every):
            for node in self.cluster.nodes:
                try:
                    self.copy(node)
                except Exception:  # noqa: BLE001 - it is down, or alone: the next time then
                    continue

    def finish(self):
        """What was applied just now shows a moment later."""
        self.over.set()
        self.join(30)
        time.sleep(2)
        for node in self.cluster.nodes:
            self.copy(node)

    def copy(self, node):
        http = node.client(node.key, timeout=3)
        told = json.loads(http.get("/admin/v1/cluster").body)
        own = next(n["id"] for n in told["nodes"] if n["name"] == node.title and n["state"] != "REMOVED")
        partition = next(p for p in told["partitions"] if p["id"] == self.partition)
        applied = next((r["index"] for r in partition["replicas"] if r["node"] == own), 0)
        known = self.entries[node.number]
        after = max(known, default=0)
        while after < applied:
            page = http.get(f"/admin/v1/inspect/log?partition={self.partition}&limit=200&after={after}").json["entries"]
            page = [e for e in page if e["index"] <= applied]
            if not page:
                return
            for e in page:
                known[e["index"]] = (e["term"], e["kind"], e.get("logTimeMs", 0), e.get("commands", []),
                                     e.get("wallTimeMs", 0))
            after = page[-1]["index"]

    # ---- what all agree on ----

    def disagreements(self):
        """(index, node, node) wherever two replicas applied different entries."""
        found, merged = [], {}
        for number, entries in self.entries.items():
            for index, entry in entries.items():
                other = merged.setdefault(index, (number, entry))
                if other[1] != entry:
                    found.append((index, other[0], number, other[1], entry))
        return found

    def merged(self):
        """The one log, in order; its gaps as a list of (after, before)."""
        merged = {}
        for entries in self.entries.values():
            merged.update(entries)
        indexes = sorted(merged)
        gaps = [(a, b) for a, b in zip(indexes, indexes[1:]) if b != a + 1]
        return [(i, *merged[i]) for i in indexes], gaps


class Model:
    """A sale as the log's commands tell it: who holds which seat, who stands where, who paid."""

    def __init__(self, seat_ids, area_capacity, number=1):
        self.event = str(number)      # others may live in the same partition
        self.seat_ids = seat_ids      # by index, of the only block
        self.free_places = area_capacity
        self.owner = {}               # seat id: hold id
        self.holds = {}               # hold id: dict
        self.by_key = {}              # (user, key): hold id, of accepted holds
        self.reservations = {}        # id: dict
        self.paid_keys = {}           # (user, key): reservation
        self.tickets = {}             # user: ticket, while in the line or inside
        self.given = []               # (user, ticket) in order
        self.mistakes = []
        self.moves = []               # (index, seat, is it taken from then on)
        self.now = 0                  # index
        self.first = {}               # (what, id): first index
        self.last = {}

    def note(self, what, id, index):
        self.first.setdefault((what, id), index)
        self.last[(what, id)] = index

    def apply(self, index, to, command):
        if to.split("/")[1:2] != [self.event]:
            return
        self.now = index
        for name, c in command.items():
            user = to.split("/", 2)[2] if to.startswith("session/") else c.get("user")
            handler = getattr(self, "on_" + name, None)
            if handler:
                handler(index, user, c)

    # ---- the line ----

    def on_join(self, index, user, c):
        self.note("join", user, index)
        if user not in self.tickets:
            self.tickets[user] = len(self.given) + 1
            self.given.append((user, self.tickets[user]))

    def on_leave(self, index, user, c):
        self.note("leave", user, index)
        if self.tickets.get(user) == c.get("ticket"):
            self.end_visit(user)

    def on_completeVisit(self, index, user, c):
        self.note("complete", user, index)
        if self.tickets.get(user) == c.get("ticket"):
            self.end_visit(user)

    def end_visit(self, user):
        del self.tickets[user]
        for id, h in list(self.holds.items()):
            if h["user"] == user and not h["reservation"]:
                self.free(id)

    # ---- stock ----

    def on_requestHold(self, index, user, c):
        key = c["once"]["key"]
        self.note("hold", key, index)
        if (user, key) in self.by_key:
            return
        seats = [self.seat_ids[s] for p in c["parts"] if not p["area"] for s in p["seats"]]
        places = sum(p["quantity"] for p in c["parts"] if p["area"])
        if user not in self.tickets or any(s in self.owner for s in seats) or places > self.free_places:
            return
        id = id_text(c["hold"])
        self.holds[id] = {"user": user, "seats": seats, "places": places, "reservation": None}
        self.by_key[(user, key)] = id
        for s in seats:
            self.owner[s] = id
            self.moves.append((index, s, True))
        self.free_places -= places

    def on_releaseHold(self, index, user, c):
        id = id_text(c["hold"])
        self.note("release", id, index)
        h = self.holds.get(id)
        if h and h["user"] == user and not h["reservation"]:
            self.free(id)

    def free(self, id):
        h = self.holds.pop(id)
        for s in h["seats"]:
            del self.owner[s]
            self.moves.append((self.now, s, False))
        self.free_places += h["places"]

    # ---- money ----

    def on_payHold(self, index, user, c):
        key, id = c["once"]["key"], id_text(c["hold"])
        self.note("pay", key, index)
        h = self.holds.get(id)
        if (user, key) in self.paid_keys or not h or h["user"] != user or h["reservation"]:
            return
        reservation = id_text(c["reservation"])
        self.paid_keys[(user, key)] = reservation
        h["reservation"] = reservation
        self.reservations[reservation] = {"hold": id, "state": "PAYING", "seats": h["seats"], "places": h["places"]}

    def on_chargeSettled(self, index, user, c):
        r = self.reservations.get(id_text(c["reservation"]))
        if not r:
            self.mistakes.append(f"{index}: a charge of no reservation")
            return
        step, outcome = c["step"], c["outcome"]
        if r["state"] == "PAYING" and step == 1:
            if outcome == 1:
                r["state"] = "CAPTURING"
            else:
                self.fail(r)
        elif r["state"] == "CAPTURING" and step == 2:
            if outcome == 1:
                r["state"] = "CONFIRMED"
            elif outcome == 2:
                self.fail(r)
        elif r["state"] == "REFUND_PENDING" and step == 4 and outcome == 1:
            r["state"] = "REFUNDED"

    def fail(self, r):
        r["state"] = "FAILED"
        self.free(r["hold"])

    def on_cancelReservation(self, index, user, c):
        id = id_text(c["reservation"])
        self.note("cancel", id, index)
        r = self.reservations.get(id)
        if r and r["state"] == "CONFIRMED":
            r["state"] = "REFUND_PENDING"
            self.free(r["hold"])


class Witness:
    """The merged log, replayed; and whether clients were told what it says."""

    def __init__(self, log, seat_ids, area_capacity, number=1):
        self.log = log
        self.model = Model(seat_ids, area_capacity, number)
        for index, _, _, _, commands, _ in log:
            for c in commands:
                self.model.apply(index, c["to"], c["command"])

    def order_mistakes(self):
        """Terms and times never fall."""
        found = []
        term = at = 0
        for index, t, _, ms, *_ in self.log:
            if t < term:
                found.append(f"entry {index} is of term {t}, after one of {term}")
            if ms and ms < at:
                found.append(f"entry {index} is of time {ms}, after one of {at}")
            term, at = max(term, t), max(at, ms)
        return found

    @staticmethod
    def what(o):
        """Under which name an operation is in the log; None for those that leave no trace."""
        if o["name"] == "join":
            return "join", o["body"]["userId"]
        if o["name"] in ("hold", "pay"):
            return o["name"], o["key"]
        if o["name"] == "release":
            return "release", o["path"].rsplit("/", 1)[1]
        if o["name"] == "cancel":
            return "cancel", o["path"].rsplit("/", 1)[1]
        return None

    def taken(self):
        """A function: the seats taken with entry `version`, and those that move in that very entry. To be asked in any order,
        best in that of the log."""
        moves = self.model.moves
        state = {"at": 0, "taken": set()}

        def at(version):
            if state["at"] and moves[state["at"] - 1][0] > version:
                state.update(at=0, taken=set())
            while state["at"] < len(moves) and moves[state["at"]][0] <= version:
                _, seat, is_taken = moves[state["at"]]
                (state["taken"].add if is_taken else state["taken"].discard)(seat)
                state["at"] += 1
            just_now, n = set(), state["at"]
            while n and moves[n - 1][0] == version:
                n -= 1
                just_now.add(moves[n][1])
            return state["taken"], just_now
        return at

    def lost(self, history):
        """Acknowledged, and not in the log."""
        return [o for o in history.operations
                if o["status"] < 300 and self.what(o) and self.what(o) not in self.model.first]

    def real_time_mistakes(self, history):
        """Pairs in which the later one certainly took effect first."""
        spans = []
        for o in history.operations:
            if o["status"] < 300 and self.what(o) in self.model.first:
                what = self.what(o)
                spans.append((o["asked"], o["told"], self.model.first[what], self.model.last[what], what))
        spans.sort()
        told = sorted(spans, key=lambda s: s[1])
        found, highest, whose, at = [], 0, None, 0
        for asked, _, _, last, what in spans:
            while at < len(told) and told[at][1] < asked:
                if told[at][2] > highest:
                    highest, whose = told[at][2], told[at][4]
                at += 1
            if last < highest:
                found.append(f"{what} is at {last}, though {whose}, answered before it began, is at {highest}")
        return found

    def wrong_answers(self, history):
        """Where the model comes to another answer than the client got."""
        m, found = self.model, []
        numbers = {}
        for user, ticket in m.given:
            numbers.setdefault(user, set()).add(ticket)
        for o in history.of("join"):
            if o["answer"]["ticketNumber"] not in numbers.get(o["body"]["userId"], ()):
                found.append((numbers.get(o["body"]["userId"]), o))
        accepted = {key for _, key in m.by_key}
        ids = {key: id for (_, key), id in m.by_key.items()}
        for o in history.of("hold"):
            if (o["status"] == 201) != (o["key"] in accepted):
                found.append(("accepted" if o["key"] in accepted else "refused", o))
            elif o["status"] == 201 and o["answer"]["holdId"] != ids[o["key"]]:
                found.append((ids[o["key"]], o))
        paid = {key: id for (_, key), id in m.paid_keys.items()}
        for o in history.of("pay"):
            if o["answer"]["reservationId"] != paid.get(o["key"]):
                found.append((paid.get(o["key"]), o))
        for o in history.of("settle"):
            known, said = m.reservations.get(o["answer"]["reservationId"]), o["answer"]["state"]
            state = known["state"] if known else "unknown"
            if said == "FAILED" and state != "FAILED" or said == "CONFIRMED" and state not in ("CONFIRMED", "REFUND_PENDING", "REFUNDED"):
                found.append((state, o))
        return found
