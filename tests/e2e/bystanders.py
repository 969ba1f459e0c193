"""Those who look on while a sale is under way: who listens to the seat map at one node, and who asks once and never again."""
import http.client
import json
import secrets
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

    def listen(self, last):
        stream = self.node.stream(f"/api/v1/events/{self.event}/seats/stream", timeout=20, **last)
        try:
            if stream.answer.status != 200:
                return
            heard = []
            self.heard.append(heard)
            while (told := stream.next()) is not None and not self.over.is_set():
                if told.get("event") == "seats":
                    data = told["data"]
                    heard.append((data["version"], told["id"], {s["id"]: s["status"] for s in data["seats"]},
                                  {p.pop("id"): p for p in data["places"]}))
                    last["Last_Event_ID"] = told["id"]
        finally:
            stream.close()

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


class Once(Shopper):
    """Asks for seats of its own, one try a key, whatever comes of it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.tries = []  # dicts: key, node, status and code; None if there was no answer

    def journey(self):
        user = self.enter_line()
        while True:
            claimed = self.sure("claim", "POST", self.base + "/queue/admission", {}, user["token"], expect=(200, 202))
            if claimed["status"] == 200:
                break
            time.sleep(0.05)
        for _ in range(6):
            self.go_to(self.random.randrange(len(self.nodes)))
            self.once(claimed["answer"]["admissionToken"])
            time.sleep(0.1)
        self.sure("complete", "POST", self.base + "/queue/complete", {}, user["token"], expect=(204,))

    def once(self, admission):
        told = {"key": secrets.token_hex(8), "node": self.at, "status": None, "code": None, "asked": time.monotonic()}
        try:
            answer = self.http.request("POST", self.base + "/holds", {"seats": [self.random.choice(self.seats)]}, admission,
                                       {"Idempotency-Key": told["key"]})
            told.update(status=answer.status, code=answer.code)
        except (OSError, http.client.HTTPException):
            pass
        self.tries.append({**told, "told": time.monotonic()})
