"""Those beside a sale while it is under way: who listens to the seat map or the status at one node, who asks once and never again,
and who shows tokens that are no good."""
import base64
import http.client
import json
import secrets
import string
import threading
import time

from shopper import Shopper


class Listener(threading.Thread):
    """Follows the seats at one node, coming back with the last id whenever the stream ends."""

    def __init__(self, node, event):
        super().__init__(daemon=True)
        self.node = node
        self.event = event
        self.over = threading.Event()
        self.heard = []  # of each stream: [(version, id, {seat: status}, {place: counts})]

    def run(self):
        last = {}
        while not self.over.is_set():
            try:
                self.listen(last)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                pass
            self.over.wait(0.1)

    PATH, WORD = "seats/stream", "seats"

    def listen(self, last):
        stream = self.node.stream(f"/api/v1/events/{self.event}/{self.PATH}", timeout=20, **last)
        try:
            if stream.answer.status != 200:
                return
            heard = []
            self.heard.append(heard)
            while (told := stream.next()) is not None and not self.over.is_set():
                if told.get("event") == self.WORD:
                    heard.append(self.noted(told["id"], told["data"]))
                    last["Last_Event_ID"] = told["id"]
        finally:
            stream.close()

    @staticmethod
    def noted(id, data):
        return data["version"], id, {s["id"]: s["status"] for s in data["seats"]}, {p.pop("id"): p for p in data["places"]}

    def picture(self):
        """What the newest stream says by now: status by seat that is not available, counts by place."""
        seats, places = {}, {}
        for _, _, some, counts in list(self.heard[-1]) if self.heard else []:
            seats.update(some)
            places.update(counts)
        return {seat: status for seat, status in seats.items() if status != "AVAILABLE"}, places

    def mistakes(self, taken_at):
        """`taken_at(version)`: the seats that are taken with that entry, and those whose change it is itself."""
        found = []
        for heard in self.heard:
            taken, before = set(), 0
            for version, id, some, _ in heard:
                if version < before or id != str(version):
                    found.append(f"{self.node.title}: version {version}, id {id}, after {before}")
                before = version
                taken -= some.keys()
                taken |= {seat for seat, status in some.items() if status != "AVAILABLE"}
                right, just_now = taken_at(version)
                wrong = (taken ^ right) - just_now
                if wrong:
                    found.append(f"{self.node.title} at {version}: {sorted(wrong)[:3]} are not as the log has them")
        return found


class Onlooker(Listener):
    """Follows the line's status at one node."""

    PATH, WORD = "status/stream", "status"

    @staticmethod
    def noted(id, data):
        return id, data

    def mistakes(self, capacity, active_max):
        found = []
        for heard in self.heard:
            before = dict.fromkeys(("version", "lastTicket", "nowServing"), 0)
            for id, told in heard:
                fallen = [what for what, most in before.items() if told[what] < most]
                before = {what: told[what] for what in before}
                if fallen or id != str(told["version"]):
                    found.append(f"{self.node.title}: {fallen} fell at {id}: {told}")
                stock = told["availability"]
                places = sum(stock[what] for what in ("available", "held", "confirmed", "blocked"))
                if not places == stock["capacity"] == capacity or told["activeUsers"] > active_max:
                    found.append(f"{self.node.title}: more than there is, {told}")
        return found


class Once(Shopper):
    """Asks for seats of its own, one try a key, whatever comes of it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.tries = []  # dicts: key, node, status and code; None if there was no answer

    def enter(self):
        """The queue token and the admission."""
        user = self.enter_line()
        while True:
            claimed = self.sure("claim", "POST", self.base + "/queue/admission", {}, user["token"], expect=(200, 202))
            if claimed["status"] == 200:
                return user["token"], claimed["answer"]["admissionToken"]
            time.sleep(0.05)

    def complete(self, token):
        self.sure("complete", "POST", self.base + "/queue/complete", {}, token, expect=(204,))

    def journey(self):
        token, admission = self.enter()
        for _ in range(6):
            self.once(admission)
        self.complete(token)

    def once(self, admission, what=""):
        """At any node."""
        time.sleep(0.1)
        self.go_to(self.random.randrange(len(self.nodes)))
        told = {"key": secrets.token_hex(8), "what": what, "node": self.at, "status": None, "code": None, "asked": time.monotonic()}
        try:
            answer = self.http.request("POST", self.base + "/holds", {"seats": [self.random.choice(self.seats)]}, admission,
                                       {"Idempotency-Key": told["key"]})
            told.update(status=answer.status, code=answer.code)
        except (OSError, http.client.HTTPException):
            pass
        self.tries.append({**told, "told": time.monotonic()})


class Forger(Once):
    """Shows tokens that are no good, and good ones that are no longer."""

    WAYS = {"another byte", "cut off", "unsigned", "of the line", "of another event", "of a turn that ended"}

    def __init__(self, *arguments, foreign):
        super().__init__(*arguments)
        self.foreign = foreign  # an admission of another event

    def journey(self):
        token, admission = self.enter()
        head, claims, signature = admission.split(".")
        self.once(self.altered(admission), "another byte")
        self.once(admission[:-self.random.randrange(2, 40)], "cut off")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        self.once(f"{unsigned}.{claims}.{self.random.choice(['', signature])}", "unsigned")
        self.once(token, "of the line")
        self.once(self.foreign, "of another event")
        self.complete(token)
        for _ in range(2):
            self.once(admission, "of a turn that ended")

    def altered(self, token):
        """Not the last one of a part: some of its bits may mean nothing."""
        at = self.random.choice([n for n in range(len(token) - 1) if "." not in token[n:n + 2]])
        byte = self.random.choice([c for c in string.ascii_letters + string.digits if c != token[at]])
        return token[:at] + byte + token[at + 1:]
