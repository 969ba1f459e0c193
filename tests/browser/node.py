"""A node and a sandbox provider of their own, with events to sell."""
import json
import os
import pathlib
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def http(method, url, body=None, token=None, **fields):
    """(status, body). Errors are answers, too."""
    headers = {"Accept": "application/json", **{k.replace("_", "-"): v for k, v in fields.items()}}
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=20) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else {}


class Stack:
    def __init__(self, programs, data, output):
        self.programs = pathlib.Path(programs)
        self.data = pathlib.Path(data)
        self.output = pathlib.Path(output)
        self.provider_port = free_port()
        self.provider = self._start("sandbox-provider", "--listen", f"127.0.0.1:{self.provider_port}",
                                    "--data", self.data / "provider")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.node = None
        self.inside = []  # (event, queue token) of customers let in
        self.start_node()
        self.key = (self.data / "node" / "admin.key").read_text().strip()

    def _start(self, program, *arguments):
        with open(self.output / f"{program}.log", "ab") as log:
            return subprocess.Popen([str(self.programs / program), *map(str, arguments)], stdout=log, stderr=log)

    def start_node(self):
        self.node = self._start("sluiced", "--data", self.data / "node", "--listen", f"127.0.0.1:{self.port}",
                                "--payment-provider", f"127.0.0.1:{self.provider_port}", "--partitions", "4")
        until = time.monotonic() + 30
        while True:
            try:
                if http("GET", self.url + "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            if self.node.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the node does not start; see {self.output}/sluiced.log")
            time.sleep(0.1)

    def kill_node(self):
        self.node.kill()
        self.node.wait()

    def stop(self):
        for process in (self.node, self.provider):
            process.terminate()
        for process in (self.node, self.provider):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    # ---- the operator ----

    def admin(self, method, path, body=None, expect=(200, 201, 204)):
        status, answer = http(method, self.url + "/admin/v1" + path, body, self.key)
        if status not in expect:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def act(self, event, action, body=None):
        return self.admin("POST", f"/events/{event}/actions/{action}", body or {})

    def put_event(self, **event):
        definition = {"venue": "Harbour Hall", "currency": "EUR", "timeZone": "Europe/Berlin",
                      "startsAt": "2027-06-12T19:30", "limitPerUser": 6, "holdTtlSeconds": 300,
                      "admission": {"usersPerMinute": 60000, "maxActiveUsers": 1000}, **event}
        self.admin("PUT", f"/events/{definition['id']}", definition)

    def stats(self, event):
        return self.admin("GET", f"/events/{event}/stats")

    # ---- other customers ----

    def join(self, event, user):
        status, answer = http("POST", f"{self.url}/api/v1/events/{event}/queue", {"userId": user})
        assert status in (200, 202), answer
        return answer

    def enter(self, event, user):
        token = self.join(event, user)["token"]
        status, answer = http("POST", f"{self.url}/api/v1/events/{event}/queue/admission", {}, token)
        assert status == 200, answer
        self.inside.append((event, token))
        return token, answer["admissionToken"]

    def complete(self, event, token, expect=(204,)):
        status, answer = http("POST", f"{self.url}/api/v1/events/{event}/queue/complete", {}, token)
        assert status in expect, answer

    def remove(self, event):
        """Closes and forgets it, as far as running payments let it."""
        for of, token in self.inside:
            if of == event:
                self.complete(of, token, range(200, 500))
        self.inside = [i for i in self.inside if i[0] != event]
        for method, path in (("POST", "/actions/close"), ("DELETE", "?force=true")):
            http(method, f"{self.url}/admin/v1/events/{event}{path}", None, self.key)

    def hold(self, event, admission, body):
        return http("POST", f"{self.url}/api/v1/events/{event}/holds", body, admission,
                    Idempotency_Key=secrets.token_hex(8))

    def pay(self, event, admission, hold, body):
        return http("POST", f"{self.url}/api/v1/events/{event}/holds/{hold}/payment", body, admission,
                    Idempotency_Key=secrets.token_hex(8), Prefer="wait=10")

    def reservations(self, token):
        status, answer = http("GET", self.url + "/api/v1/reservations", token=token)
        assert status == 200, answer
        return answer["reservations"]

    def captured(self):
        """How many payments the provider has taken."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.provider_port}/totals", timeout=5) as answer:
            return json.load(answer)


CONCERT = dict(
    id="concert", name="Northern Lights — Summer Concert",
    categories=[{"id": "front", "name": "Front", "price": 8900}, {"id": "stalls", "name": "Stalls", "price": 6400},
                {"id": "balcony", "name": "Balcony", "price": 4200},
                {"id": "standing", "name": "Standing", "price": 3500}],
    sections=[
        {"id": "floor", "name": "Floor", "blocks": [
            {"id": "A", "name": "Block A", "rows": [
                {"id": str(n), "category": "front" if n <= 3 else "stalls", "seats": 16 + min(n, 4) * 2}
                for n in range(1, 13)]},
            {"id": "B", "name": "Block B", "category": "stalls", "rows": 10, "seatsPerRow": 18}]},
        {"id": "upper", "name": "Balcony", "blocks": [
            {"id": "L", "name": "Balcony left", "category": "balcony", "rows": 6, "seatsPerRow": 12},
            {"id": "M", "name": "Balcony middle", "category": "balcony", "rows": 8, "seatsPerRow": 24},
            {"id": "R", "name": "Balcony right", "category": "balcony", "rows": 6, "seatsPerRow": 12}]}],
    areas=[{"id": "pit", "name": "Standing in front of the stage", "capacity": 400, "category": "standing"}])

COURSE = dict(
    id="course", name="Sailing for beginners", venue="Lake club", startsAt="2027-04-03T09:00", limitPerUser=1,
    categories=[{"id": "free", "name": "Place in the course", "price": 0}],
    areas=[{"id": "places", "name": "Course places", "capacity": 24, "category": "free"}])

SMALL = dict(  # one person at a time: everybody else waits
    id="quartet", name="String quartet by candlelight", venue="Old library", startsAt="2027-05-21T20:00",
    categories=[{"id": "all", "name": "All seats", "price": 2500}],
    sections=[{"id": "room", "name": "Room", "blocks": [{"id": "room", "name": "The room", "category": "all",
                                                        "rows": 5, "seatsPerRow": 8}]}],
    admission={"usersPerMinute": 6000, "maxActiveUsers": 1})


def programs_folder():
    here = pathlib.Path(__file__).resolve().parents[2]
    return pathlib.Path(os.environ.get("SLUICE_BIN") or here / "build" / "bin")
