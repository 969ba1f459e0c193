"""Customers who book under load and write down what they were told. An outcome they do not know they ask for again, with
the same key, until they know it."""
import http.client
import random
import secrets
import threading
import time

CARDS = ["4242424242424242"] * 7 + [
    "4000000000009995",  # declined
    "4000000000000341",  # declined at capture
    "4000000000000135",  # takes effect, answers 500
    "4000000000000168",  # takes effect, cuts the connection
    "4000000000000143",  # fails once
]


class History:
    """What all customers did and were told, by one clock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.operations = []  # dicts, see Shopper.sure
        self.sightings = []   # (asked, told, ticket, state, position) of own places
        self.holds = {}       # hold id: dict
        self.failures = []    # tries without a definite answer: (when, node's number, operation, what came instead, asked when)

    @property
    def unknown(self):
        return len(self.failures)

    def of(self, name):
        return [o for o in self.operations if o["name"] == name]


class Shopper(threading.Thread):
    """Goes through one journey after the other until told to stop; at one node while it answers, at the next one else."""

    PATIENCE = 8  # seconds for an answer
    pace = 0      # seconds between two questions

    def __init__(self, number, nodes, event, history, stop, seats, area):
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.number = number
        self.nodes = nodes
        self.at = number % len(nodes)
        self.http = nodes[self.at].client(timeout=self.PATIENCE)
        self.base = f"/api/v1/events/{event}"
        self.history = history
        self.stop = stop
        self.seats = seats
        self.area = area
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.journey()
        except Exception as e:  # noqa: BLE001 - told to the test, which fails
            self.failure = e
            self.stop.set()

    # ---- asking until the answer is known ----

    def line(self):
        """The connection for the next try."""
        return self.http

    def go_to(self, at):
        if at != self.at:
            self.at = at
            self.http = self.nodes[at].client(timeout=self.PATIENCE)

    def failed(self, operation, why):
        with self.history.lock:
            self.history.failures.append((time.monotonic(), self.at, operation["name"], why, operation["tried"]))
        self.go_to((self.at + 1) % len(self.nodes))

    def sure(self, name, method, path, body=None, token=None, key=None, expect=()):
        """One operation. Its first try begins it, the definite answer ends it."""
        operation = {"name": name, "method": method, "path": path, "body": body, "token": token, "key": key,
                     "asked": time.monotonic(), "tries": 0}
        headers = {"Idempotency-Key": key} if key else {}
        if self.pace:
            time.sleep(self.pace)
            operation["asked"] = time.monotonic()
        while True:
            operation["tries"] += 1
            began = operation["tried"] = time.monotonic()
            try:
                answer = self.line().request(method, path, body, token, headers)
                if answer.status != 503 and answer.code != "IDEMPOTENCY_KEY_IN_USE":
                    break  # in use: by an earlier try of ours, whose outcome is the one to learn
                self.failed(operation, answer)
            except (OSError, http.client.HTTPException) as e:
                self.failed(operation, e)
            time.sleep(0.05)
        operation.update(told=time.monotonic(), tried=began, node=self.at, status=answer.status, answer=answer.json if answer.body else None)
        with self.history.lock:
            self.history.operations.append(operation)
        if answer.status not in expect:
            raise AssertionError(f"{name} {path} {body}: {answer}")
        return operation

    def look(self, user):
        seen = self.sure("look", "GET", self.base + "/queue", token=user["token"], expect=(200,))
        self.note_place(seen, seen["answer"])
        return seen["answer"]

    def note_place(self, operation, told):
        with self.history.lock:
            self.history.sightings.append((operation["asked"], operation["told"], told["ticketNumber"], told["state"],
                                           told["position"]))

    # ---- a journey ----

    def enter_line(self):
        user = {"id": f"u{self.number}-{secrets.token_hex(5)}"}
        joined = self.sure("join", "POST", self.base + "/queue", {"userId": user["id"]}, expect=(200, 202))
        user["token"] = joined["answer"]["token"]
        user["ticket"] = joined["answer"]["ticketNumber"]
        self.note_place(joined, joined["answer"])
        return user

    def journey(self):
        user = self.enter_line()
        if self.random.random() < 0.1:
            self.sure("leave", "DELETE", self.base + "/queue", token=user["token"], expect=(204,))
            return
        while True:
            self.look(user)
            claimed = self.sure("claim", "POST", self.base + "/queue/admission", {}, user["token"], expect=(200, 202))
            if claimed["status"] == 200:
                break
            time.sleep(0.02)
        user["admission"] = claimed["answer"]["admissionToken"]
        ends = []  # what may end a hold without a payment
        for _ in range(self.random.choice((1, 1, 2))):
            if hold := self.hold(user):
                ends.append(hold)
                self.use(user, hold)
        self.look(user)
        done = self.sure("complete", "POST", self.base + "/queue/complete", {}, user["token"], expect=(204,))
        for hold in ends:
            hold.setdefault("free_from", done["asked"])

    def wish(self):
        if self.random.random() < 0.25:
            return {"area": self.area, "quantity": self.random.randint(1, 2)}
        pool = self.seats[:60] if self.random.random() < 0.5 else self.seats  # some seats everybody wants
        return {"seats": self.random.sample(pool, self.random.randint(1, 2))}

    def hold(self, user):
        for _ in range(4):
            made = self.sure("hold", "POST", self.base + "/holds", self.wish(), user["admission"],
                             secrets.token_hex(8), (201, 409))
            if made["status"] == 201:
                hold = {"id": made["answer"]["holdId"], "held": made["told"], "amount": made["answer"]["amount"],
                        "seats": [s["id"] for s in made["answer"]["seats"]],
                        "places": made["answer"].get("quantity", 0), "user": user["id"], "token": user["token"],
                        "reservation": None}
                with self.history.lock:
                    self.history.holds[hold["id"]] = hold
                return hold
        return None

    def use(self, user, hold):
        path = f"{self.base}/holds/{hold['id']}"
        if self.random.random() < 0.3:
            self.sure("extend", "POST", path + "/extend", {}, user["admission"], secrets.token_hex(8), (200,))
        chance = self.random.random()
        if chance < 0.2:
            done = self.sure("release", "DELETE", path, token=user["admission"], expect=(204, 404))
            if done["status"] == 404 and done["tries"] == 1:
                raise AssertionError(f"an acknowledged hold is gone: {hold}")
            hold["free_from"] = done["asked"]
        elif chance < 0.9:
            self.pay(user, hold, path)

    def pay(self, user, hold, path):
        body = {"method": "card", "card": self.random.choice(CARDS)}
        paid = self.sure("pay", "POST", path + "/payment", body, user["admission"], secrets.token_hex(8), (202,))
        hold["reservation"] = paid["answer"]["reservationId"]
        hold["paid"] = paid["asked"]
        where = "/api/v1/reservations/" + hold["reservation"]
        while True:
            told = self.sure("settle", "GET", where + "?waitMs=2000", token=user["token"], expect=(200,))["answer"]
            if told["state"] not in ("PAYING", "STUCK"):
                break
        if told["state"] == "FAILED":
            hold["free_from"] = paid["asked"]
        elif self.random.random() < 0.4:
            cancelled = self.sure("cancel", "DELETE", where, token=user["token"], expect=(202,))
            hold["free_from"] = cancelled["asked"]
        else:
            hold["free_from"] = float("inf")


class Walker(Shopper):
    """Stands in line in a group, looks where everybody stands, and walks through."""

    def journey(self):
        group = [self.enter_line() for _ in range(12)]
        while group and not self.stop.is_set():
            for user in list(group):
                told = self.look(user)
                if told["state"] != "WAITING":
                    self.sure("complete", "POST", self.base + "/queue/complete", {}, user["token"], expect=(204,))
                    group.remove(user)
        for user in group:
            self.sure("leave", "DELETE", self.base + "/queue", token=user["token"], expect=(204,))
