"""What every end-to-end test stands on. Programs come from $SLUICE_BIN (default build/bin); logs and data of a failed
class stay in $SLUICE_TEST_OUTPUT. The parts: `web.py` speaks HTTP, `programs.py` runs what is tested."""
import os
import pathlib
import secrets
import shutil
import sys
import tempfile
import unittest

from programs import PROGRAMS, REPOSITORY, Node, Program, Provider, free_port, wait_for
from web import Answer, Client, EventStream, exchange, parse_answer, read_all

__all__ = ["APPROVED", "Answer", "Case", "Client", "Customer", "EventStream", "Node", "OUTPUT", "PROGRAMS", "Program",
           "Provider", "REPOSITORY", "definition", "exchange", "free_port", "main", "parse_answer", "read_all", "wait_for"]

OUTPUT = pathlib.Path(os.environ.get("SLUICE_TEST_OUTPUT") or PROGRAMS.parent / "test-output" / "e2e").resolve()
SKIPPED = 77
APPROVED = "4242424242424242"


class Customer:
    """One user on the way through a sale; every step must succeed unless the caller asks the client itself."""

    def __init__(self, node, event, user=None):
        self.node = node
        self.event = event
        self.user = user or "u-" + secrets.token_hex(6)
        self.http = node.client()
        self.base = f"/api/v1/events/{event}"
        self.token = None      # of the line
        self.admission = None  # once claimed

    def join(self):
        answer = self.http.post(self.base + "/queue", {"userId": self.user})
        assert answer.status in (200, 202), answer
        self.token = answer.json["token"]
        return answer.json

    def claim(self, seconds=20):
        def turn():
            answer = self.http.post(self.base + "/queue/admission", {}, self.token)
            assert answer.status in (200, 202), answer
            return answer.json if answer.status == 200 else None
        told = wait_for(turn, seconds, "the turn comes")
        self.admission = told["admissionToken"]
        return told

    def enter(self):
        self.join()
        self.claim()
        return self

    def try_hold(self, body, key=None):
        return self.http.post(self.base + "/holds", body, self.admission, key or secrets.token_hex(8))

    def hold(self, *seats):
        answer = self.try_hold({"seats": list(seats)})
        assert answer.status == 201, answer
        return answer.json["holdId"]

    def hold_area(self, area, quantity):
        answer = self.try_hold({"area": area, "quantity": quantity})
        assert answer.status == 201, answer
        return answer.json["holdId"]

    def try_pay(self, hold, body=None, key=None, wait=None):
        fields = {"Prefer": f"wait={wait}"} if wait else {}
        body = {"method": "card", "card": APPROVED} if body is None else body
        return self.http.post(f"{self.base}/holds/{hold}/payment", body,
                              self.admission, key or secrets.token_hex(8), **fields)

    def pay(self, hold, card=APPROVED):
        """Begins a payment; its reservation's id."""
        answer = self.try_pay(hold, {"method": "card", "card": card})
        assert answer.status == 202, answer
        return answer.json["reservationId"]

    def reservation(self, reservation):
        answer = self.http.get(f"/api/v1/reservations/{reservation}", self.admission or self.token)
        assert answer.status == 200, answer
        return answer.json

    def await_state(self, reservation, *states, seconds=40):
        def reached():
            told = self.reservation(reservation)
            return told if told["state"] in states else None
        return wait_for(reached, seconds, f"the reservation is {' or '.join(states)}", 0.1)

    def buy(self, *seats):
        reservation = self.pay(self.hold(*seats))
        return self.await_state(reservation, "CONFIRMED")


def definition(event, rows=2, seats=10, price=5000, area=0, admission=None, **more):
    """An event file: one block A of rows × seats (A-1-1 …), and an area "floor" when it has a capacity."""
    made = {"id": event, "name": event.title(), "venue": "Hall", "startsAt": "2031-05-01T20:00",
            "timeZone": "Europe/Berlin", "currency": "EUR",
            "categories": [{"id": "seat", "name": "Seat", "price": price}],
            "admission": {"usersPerMinute": 600_000, "maxActiveUsers": 1_000, **(admission or {})},
            "holdTtlSeconds": 300, "limitPerUser": 8}
    if rows:
        made["sections"] = [{"id": "s", "name": "Section", "blocks": [
            {"id": "A", "name": "Block A", "category": "seat", "rows": rows, "seatsPerRow": seats}]}]
    if area:
        made["areas"] = [{"id": "floor", "name": "Floor", "category": "seat", "capacity": area}]
    made.update(more)
    return made


# ---- cases --------------------------------------------------------------------------------------------------------------


class Case(unittest.TestCase):
    """One folder a test class; nodes and providers made here end with it. A failure keeps folder and logs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
        cls.programs = []
        cls.failures = None  # None until the first test begins: a set-up that fails is a failure
        cls.addClassCleanup(cls.clean_up)

    @classmethod
    def clean_up(cls):
        for program in reversed(cls.programs):
            program.end()
        if cls.failures != 0:
            kept = OUTPUT / cls.__name__
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(cls.folder, kept, ignore_dangling_symlinks=True)
            print(f"logs and data are kept in {kept}", file=sys.stderr)
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        cls = type(self)
        before = len(result.failures) + len(result.errors)
        super().run(result)
        cls.failures = (cls.failures or 0) + len(result.failures) + len(result.errors) - before
        return result

    @classmethod
    def make_folder(cls, name):
        folder = cls.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @classmethod
    def make_provider(cls, name="0"):
        provider = Provider(cls.make_folder(name))
        cls.programs.append(provider)
        return provider

    @classmethod
    def make_node(cls, *options, name="0", provider=None):
        node = Node(cls.make_folder(name), provider.port if provider else free_port(), *options)
        cls.programs.append(node)
        return node

    # ---- assertions ----

    def assert_problem(self, answer, status, code):
        """An RFC 9457 answer with all its parts."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json", answer)
        told = answer.json
        self.assertEqual(told["status"], status, answer)
        self.assertEqual(told["code"], code, answer)
        for field in ("type", "title", "detail", "requestId"):
            self.assertTrue(told.get(field), f"{field} in {answer}")
        self.assertEqual(answer.headers["X-Request-ID"], told["requestId"])
        if status in (429, 503):
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertGreater(told["retryAfterMs"], 0)
        if status == 401:
            self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Bearer"))
        return told

    def assert_adds_up(self, node, event):
        """The recount from the log agrees with the machines, and every seat is accounted for."""
        def recounted():
            told = node.verify(event)
            return told if told["ok"] else None
        told = wait_for(recounted, 10, f"verify of {event} is clean; it says {node.verify(event)}", 0.2)
        self.assertEqual(told["available"] + told["held"] + told["confirmed"] + told["blocked"], told["capacity"], told)
        self.assertEqual((told["oversold"], told["seatsWithTwoOwners"], told["admissionInversions"]), (0, 0, 0), told)
        self.assertEqual(told["mismatches"], [])
        return told


def main():
    """Runs the calling file's tests. 77 when everything was skipped, so that CTest says so."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if result.wasSuccessful() and result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)
