"""What every end-to-end test stands on: real programs on free ports with folders of their own, and a small HTTP client.

Programs come from $SLUICE_BIN (default build/bin). Logs and data of a failed test stay in $SLUICE_TEST_OUTPUT.
"""
import http.client
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("SLUICE_BIN") or REPOSITORY / "build" / "bin").resolve()
OUTPUT = pathlib.Path(os.environ.get("SLUICE_TEST_OUTPUT") or PROGRAMS.parent / "test-output" / "e2e").resolve()
SKIPPED = 77

APPROVED = "4242424242424242"


def free_port():
    """A port nobody listens on, below those the kernel gives to outgoing connections: it stays free over a restart."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(condition, seconds=20, what="the condition", every=0.02):
    """The first true value of `condition()`; fails the test when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


# ---- HTTP --------------------------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem; empty for other answers."""
        return self.json.get("code", "") if "problem+json" in self.headers.get("Content-Type", "") else ""

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Client:
    """One keep-alive connection; not for several threads at once. A closed connection is opened again."""

    def __init__(self, port, token=None, timeout=30):
        self.port = port
        self.token = token
        self.timeout = timeout
        self.connection = None

    def request(self, method, path, body=None, token=None, headers=None, raw=None):
        fields = dict(headers or {})
        token = token or self.token
        if token and "Authorization" not in fields:
            fields["Authorization"] = f"Bearer {token}"
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            fields.setdefault("Content-Type", "application/json")
        reused = self.connection is not None
        if not reused:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.connection.request(method, path, raw, fields)
            answer = self.connection.getresponse()
            result = Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            if reused and method in ("GET", "HEAD"):  # the other side may close an idle connection at any time
                return self.request(method, path, token=token, headers=headers)
            raise
        if answer.will_close:
            self.close()
        return result

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self):
        self.close()

    def get(self, path, token=None, **headers):
        return self.request("GET", path, token=token, headers=_fields(headers))

    def post(self, path, body=None, token=None, key=None, **headers):
        fields = _fields(headers)
        if key is not None:
            fields["Idempotency-Key"] = key
        return self.request("POST", path, body, token, fields)

    def delete(self, path, token=None, **headers):
        return self.request("DELETE", path, token=token, headers=_fields(headers))


def _fields(names):
    """If_None_Match="x" becomes If-None-Match: x."""
    return {name.replace("_", "-"): value for name, value in names.items()}


def exchange(port, data, timeout=12, half_close=False):
    """Sends bytes as they are and returns all that comes back until the other side closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all of it was read
        return read_all(s)


def read_all(s):
    got = b""
    try:
        while chunk := s.recv(65536):
            got += chunk
    except (socket.timeout, ConnectionResetError):
        pass
    return got


def parse_answer(data):
    """(Answer, rest) of the first answer in raw bytes; None when there is none."""
    head, split, rest = data.partition(b"\r\n\r\n")
    if not split:
        return None, data
    lines = head.decode("latin-1").split("\r\n")
    headers = http.client.HTTPMessage()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    length = int(headers.get("Content-Length") or 0)
    return Answer(int(lines[0].split()[1]), headers, rest[:length]), rest[length:]


class EventStream:
    """Server-sent events, read one by one."""

    def __init__(self, port, path, token=None, timeout=20, **headers):
        fields = _fields(headers)
        if token:
            fields["Authorization"] = f"Bearer {token}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.connection.request("GET", path, headers=fields)
        self.answer = self.connection.getresponse()
        self.retry = None

    def next(self):
        """The next event as {event, id, data}; None at the end of the stream."""
        event = {}
        for line in self.answer:
            line = line.decode().rstrip("\n").rstrip("\r")
            if not line:
                if "data" in event:
                    event["data"] = json.loads(event["data"])
                    return event
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "retry":
                self.retry = int(value)
            elif name:
                event[name] = value
        return None

    def until(self, condition, most=1000):
        """The first event for which `condition(event)` holds."""
        for _ in range(most):
            event = self.next()
            if event is None:
                raise AssertionError("the stream ended")
            if condition(event):
                return event
        raise AssertionError(f"not among {most} events")

    def close(self):
        self.answer.close()
        self.connection.close()

    __del__ = close


# ---- programs ----------------------------------------------------------------------------------------------------------


class Program:
    """A process and its log."""

    def __init__(self, name, log):
        self.name = name
        self.log = pathlib.Path(log)
        self.process = None

    def launch(self, *arguments, **options):
        assert not self.running, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(PROGRAMS / self.name), *map(str, arguments)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=20):
        """SIGTERM, and the exit code."""
        if self.process is None:
            return None
        if self.running:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not stop within {seconds} s") from None

    def kill(self):
        """SIGKILL, the power switch."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Provider(Program):
    """The sandbox payment provider."""

    def __init__(self, folder, port=None):
        super().__init__("sandbox-provider", folder / "sandbox-provider.log")
        self.data = folder / "provider"
        self.port = port or free_port()

    def start(self):
        self.launch("--listen", f"127.0.0.1:{self.port}", "--data", self.data)
        wait_for(self._alive, 20, "the provider starts")
        return self

    def _alive(self):
        if not self.running:
            raise AssertionError(f"the provider ended: {self.log_text()[-800:]}")
        try:
            return Client(self.port, timeout=2).get("/healthz").status == 200
        except OSError:
            return False

    def control(self, **settings):
        answer = Client(self.port).post("/control", settings)
        assert answer.status == 200, answer

    def behave(self):
        assert Client(self.port).delete("/control").status == 204

    def totals(self):
        return Client(self.port).get("/totals").json

    def ledger(self):
        """Every effect, as it was written down."""
        return [json.loads(line) for line in Client(self.port).get("/ledger").body.splitlines()]

    def payments(self):
        """The last state, and the money taken and given back, by reference."""
        told = {}
        for entry in self.ledger():
            p = told.setdefault(entry["reference"], {"captured": 0, "refunded": 0, "captures": 0, "states": []})
            p["states"].append(entry["state"])
            p["state"] = entry["state"]
            if entry["state"] == "CAPTURED":
                p["captured"] += entry["amount"]
                p["captures"] += 1
            elif entry["state"] == "REFUNDED":
                p["refunded"] += entry["amount"]
        return told


class Node(Program):
    """A node of Sluice; the same port and folder at every start."""

    def __init__(self, folder, provider_port, *options):
        super().__init__("sluiced", folder / "sluiced.log")
        self.data = folder / "node"
        self.port = free_port()
        self.provider_port = provider_port
        self.options = options
        self.key = None

    def start(self, wait=True, **launch):
        self.launch("--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--payment-provider",
                    f"127.0.0.1:{self.provider_port}", "--partitions", "4", *self.options, **launch)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        wait_for(lambda: not self.running or self.is_ready(), seconds, "the node is ready")
        assert self.running, f"the node ended: {self.log_text()[-800:]}"
        self.key = (self.data / "admin.key").read_text().strip()

    def is_ready(self):
        try:
            return Client(self.port, timeout=5).get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def client(self, token=None, timeout=30):
        return Client(self.port, token, timeout)

    # ---- the operator ----

    def admin(self, method, path, body=None, expect=(200, 201, 204)):
        answer = self.client(self.key).request(method, "/admin/v1" + path, body)
        assert answer.status in expect, f"{method} {path}: {answer}"
        return answer.json if answer.body else None

    def put_event(self, event):
        return self.admin("PUT", f"/events/{event['id']}", event)

    def act(self, event, action, body=None):
        return self.admin("POST", f"/events/{event}/actions/{action}", body if body is not None else {})

    def set_admission(self, event, **settings):
        return self.admin("PATCH", f"/events/{event}/admission", settings)

    def stats(self, event):
        return self.admin("GET", f"/events/{event}/stats")

    def verify(self, event):
        """The recount from the log, once the figures it is compared with are those of the same moment."""
        return self.admin("GET", f"/events/{event}/verify")

    def log_entries(self, partition, limit=200, after=0):
        return self.admin("GET", f"/inspect/log?partition={partition}&limit={limit}&after={after}")["entries"]

    def ctl(self, *arguments):
        """Runs sluicectl; the finished process."""
        return subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"http://127.0.0.1:{self.port}", "--key-file",
                               str(self.data / "admin.key"), *arguments], capture_output=True, text=True, timeout=120)


# ---- a customer --------------------------------------------------------------------------------------------------------


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
        return self.http.post(f"{self.base}/holds/{hold}/payment", {"method": "card", "card": APPROVED} if body is None else body,
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


# ---- events ------------------------------------------------------------------------------------------------------------


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


# ---- cases -------------------------------------------------------------------------------------------------------------


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
            if program.running:
                program.resume()
                program.kill()
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
