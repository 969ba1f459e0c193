"""A small sale in which everything is narrow: a slow outflow, few inside, seconds to claim, to stay and to hold, two seats a
user; an operator who pauses it, changes its limits and closes it. Its visitors come late, let seats lapse and want too much."""
import http.client
import secrets
import threading
import time

from harness import definition
from line_witness import ms
from shopper import Shopper

EVENT = "narrow"
SETTINGS = {"rate": 300, "cap": 10, "window": 2_000, "visit": 7_000, "hold": 5_000, "limit": 2}  # times in ms
LATER = {"usersPerMinute": 180, "maxActiveUsers": 14}
ROWS, PER_ROW = 40, 30
SEATS = [f"A-{row}-{n}" for row in range(1, ROWS + 1) for n in range(1, PER_ROW + 1)]
VISITORS = 3
REFUSED = (401, 403, 404, 409, 410, 422)


def event_file():
    """On a day of its own, and for nothing: the provider and the ranking of the other sale stay as they are."""
    return definition(EVENT, rows=ROWS, seats=PER_ROW, price=0, startsAt="2031-06-01T20:00", limitPerUser=SETTINGS["limit"],
                      holdTtlSeconds=SETTINGS["hold"] // 1000,
                      admission={"usersPerMinute": SETTINGS["rate"], "maxActiveUsers": SETTINGS["cap"],
                                 "claimWindowSeconds": SETTINGS["window"] // 1000,
                                 "activeTtlSeconds": SETTINGS["visit"] // 1000})


def seconds_until(text):
    return ms(text) / 1000 - time.time()


class Visitors(Shopper):
    """Several at once, in one thread: each is a generator that does one thing and says when it goes on."""

    AT_ONCE = 10
    PLANS = ("gone", "late", "late", "linger", "linger", "linger", "stay", "stay", "greedy", "greedy", "buyer", "buyer", "leaver")

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.due = []  # [when, generator]
        self.budget = len(SEATS) // VISITORS // 2  # however long it goes on, it is never sold out

    def journey(self):
        while len(self.due) < self.AT_ONCE:
            self.due.append([time.monotonic(), self.visit(self.random.choice(self.PLANS))])
        first = min(self.due, key=lambda d: d[0])
        wait = first[0] - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, 0.05))
            return
        try:
            first[0] = time.monotonic() + max(0.0, next(first[1]))
        except StopIteration:
            self.due.remove(first)

    def visit(self, plan, name=None):
        user = {"id": name or f"v{self.number}-{secrets.token_hex(5)}"}
        joined = self.sure("join", "POST", self.base + "/queue", {"userId": user["id"]}, expect=(200, 202, 409))
        if joined["status"] == 409:
            yield 0.3  # closed: the next one tries as well
            return
        user["token"] = joined["answer"]["token"]
        told = joined["answer"]
        while told["state"] == "WAITING":
            if plan == "leaver" and self.random.random() < 0.3:
                self.sure("leave", "DELETE", self.base + "/queue", token=user["token"], expect=(204,))
                return
            yield min(max(0.12, told["usersAhead"] * 0.2), 1.5)
            told = self.look(user)
        if told["state"] == "ADMITTED":
            yield from getattr(self, plan)(user, told)
        yield self.random.uniform(0.0, 0.2)

    # ---- what they have in mind ----

    def leaver(self, user, told):
        self.sure("leave", "DELETE", self.base + "/queue", token=user["token"], expect=(204,))
        yield 0

    def gone(self, user, told):
        """Never comes, and sees later that the turn is over."""
        yield seconds_until(told["claimBefore"]) + self.random.uniform(-0.2, 0.5)
        self.look(user)

    def late(self, user, told):
        yield seconds_until(told["claimBefore"]) + self.random.uniform(-0.4, 0.3)
        if self.claim(user):
            yield self.random.uniform(0, 1)
            self.look(user)
            self.complete(user)

    def linger(self, user, told):
        """Uses a hold at the very end of its time."""
        if self.claim(user) and (hold := self.hold(user)):
            if self.random.random() < 0.3:
                yield self.random.uniform(0.5, 2)
                more = self.extend(user, hold)
                hold = {**hold, **more["answer"]} if more["status"] == 200 else hold
            yield seconds_until(hold["expiresAt"]) + self.random.uniform(-0.4, 0.3)
            self.pay(user, hold)

    def stay(self, user, told):
        """Wants seats when the visit is about over."""
        if self.claim(user):
            yield seconds_until(user["until"]) + self.random.uniform(-0.4, 0.3)
            self.hold(user)
            yield 0.3
            self.look(user)

    def greedy(self, user, told):
        if self.claim(user):
            self.hold(user, self.random.randint(1, 2))
            yield self.random.uniform(0, 0.5)
            self.hold(user, 2)
            self.complete(user)

    def buyer(self, user, told):
        """Comes back for more than the limit."""
        if self.claim(user) and (hold := self.hold(user, 2)):
            yield self.random.uniform(0, 0.5)
            self.pay(user, hold)
            self.complete(user)
            yield from self.visit("greedy", user["id"])

    # ---- single steps ----

    def claim(self, user):
        claimed = self.sure("claim", "POST", self.base + "/queue/admission", {}, user["token"], expect=(200, 410))
        if claimed["status"] == 200:
            user["admission"] = claimed["answer"]["admissionToken"]
            user["until"] = claimed["answer"]["expiresAt"]
        return claimed["status"] == 200

    def hold(self, user, seats=1):
        pool = self.seats[:150] if self.random.random() < 0.3 else self.seats
        made = self.sure("hold", "POST", self.base + "/holds", {"seats": self.random.sample(pool, seats)}, user["admission"],
                         secrets.token_hex(8), (201, *REFUSED))
        if made["status"] == 201:
            return {**made["answer"], "path": f"{self.base}/holds/{made['answer']['holdId']}"}
        return None

    def pay(self, user, hold):
        if self.budget <= 0:
            return self.extend(user, hold)
        self.budget -= len(hold["seats"])
        self.sure("pay", "POST", hold["path"] + "/payment", {"method": "free"}, user["admission"], secrets.token_hex(8),
                  (202, *REFUSED))

    def extend(self, user, hold):
        return self.sure("extend", "POST", hold["path"] + "/extend", {}, user["admission"], secrets.token_hex(8), (200, *REFUSED))

    def complete(self, user):
        self.sure("complete", "POST", self.base + "/queue/complete", {}, user["token"], expect=(204,))


class Operator(threading.Thread):
    """Pauses the sale twice and narrows it for a while. Writes down what it asked for, until it knows the answer."""

    def __init__(self, nodes, seconds, stop):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.stop = stop
        self.writes = []  # dicts: what, asked, told, tries
        self.failure = None
        back = {"usersPerMinute": SETTINGS["rate"], "maxActiveUsers": SETTINGS["cap"]}
        plan = [(0.15, 0, "pause", {}), (0.15, 4, "resume", {}), (0.4, 0, "admission", LATER),
                (0.6, 0, "pause", {}), (0.6, 3, "resume", {}), (0.75, 0, "admission", back)]
        self.plan = sorted(((share * seconds + more, what, body) for share, more, what, body in plan), key=lambda p: p[0])

    def run(self):
        began = time.monotonic()
        try:
            for when, what, body in self.plan:
                if self.stop.wait(max(0, began + when - time.monotonic())):
                    return
                self.act(what, body)
        except Exception as e:  # noqa: BLE001 - told to the test, which fails
            self.failure = e
            self.stop.set()

    def act(self, what, body):
        path = f"/admin/v1/events/{EVENT}"
        method, path = ("PATCH", path + "/admission") if what == "admission" else ("POST", f"{path}/actions/{what}")
        write = {"what": what, "asked": time.monotonic(), "tries": 0}
        while True:
            node = self.nodes[write["tries"] % len(self.nodes)]
            write["tries"] += 1
            try:
                answer = node.client(node.key, timeout=8).request(method, path, body)
                if answer.status < 300:
                    break
                assert answer.status == 503, f"{what}: {answer}"
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        write["told"] = time.monotonic()
        self.writes.append(write)
