#!/usr/bin/env python3
"""What a running node answers is what its /openapi.json says: every answer of a walk through the contract is checked
against the schema of its operation and status. SLUICE_BIN: folder of sluiced and sandbox-provider."""
import pathlib
import re
import secrets
import shutil
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from node import CONCERT, COURSE, Stack, http, programs_folder  # noqa: E402

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}


class Specification:
    def __init__(self, document):
        self.document = document
        self.paths = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(p)) + "$"), p) for p in document["paths"]]
        self.seen = set()

    def follow(self, node):
        while "$ref" in node:
            target = self.document
            for name in node["$ref"][2:].split("/"):
                target = target[name]
            node = target
        return node

    def operation(self, method, path):
        for pattern, name in sorted(self.paths, key=lambda p: p[1].count("{")):
            if pattern.match(path) and method.lower() in self.document["paths"][name]:
                self.seen.add(f"{method} {name}")
                return self.document["paths"][name][method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def check_answer(self, method, path, status, body):
        answers = self.operation(method, path)["responses"]
        assert str(status) in answers, f"{method} {path} answered {status}: {body}"
        told = answers[str(status)]
        if "$ref" in told:
            assert body["code"] in told["description"].split(", "), f"{method} {path}: {body['code']} is not described"
        content = self.follow(told).get("content")
        if not content:
            assert body in ({}, None), f"{method} {path}: a body nobody described"
            return
        self.check(next(iter(content.values()))["schema"], body, f"{method} {path} {status}")

    def check(self, schema, value, where):
        schema = self.follow(schema)
        for part in schema.get("allOf", []):
            self.check(part, value, where)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                assert any(self.fits(s, value) for s in schema[word]), f"{where}: fits none of {word}"
        if "const" in schema:
            assert value == schema["const"], f"{where}: {value!r}"
        if "enum" in schema:
            assert value in schema["enum"], f"{where}: {value!r}"
        kind = schema.get("type")
        if kind:
            assert isinstance(value, TYPES[kind]), f"{where}: {value!r}"
            assert (kind == "boolean") == isinstance(value, bool), f"{where}: {value!r}"
        if isinstance(value, str) and "pattern" in schema:
            assert re.search(schema["pattern"], value), f"{where}: {value!r}"
        if schema.get("format") == "date-time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), f"{where}: {value!r}"
        if isinstance(value, dict):
            for name in schema.get("required", []):
                assert name in value, f"{where}: {name} is missing"
            for name, inner in value.items():
                if name in schema.get("properties", {}):
                    self.check(schema["properties"][name], inner, f"{where}/{name}")
                else:
                    assert schema.get("additionalProperties", True), f"{where}: {name} is not described"
        if isinstance(value, list) and "items" in schema:
            for inner in value:
                self.check(schema["items"], inner, where + "[]")

    def fits(self, schema, value):
        try:
            self.check(schema, value, "")
            return True
        except AssertionError:
            return False


class Walk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-openapi-"))
        cls.stack = Stack(programs_folder(), cls.folder, cls.folder)
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.addClassCleanup(cls.stack.stop)
        cls.specification = Specification(http("GET", cls.stack.url + "/openapi.json")[1])

    def ask(self, method, path, expect, body=None, token=None, **fields):
        status, answer = http(method, self.stack.url + path, body, token, **fields)
        self.assertEqual(status, expect, (method, path, answer))
        self.specification.check_answer(method, path.split("?")[0], status, answer)
        return answer

    def once(self):
        return {"Idempotency_Key": secrets.token_hex(8)}

    def test_every_answer_is_as_described(self):
        self.operators()
        self.customers()
        self.mistakes()
        left = {f"{m.upper()} {p}" for p, item in self.specification.document["paths"].items() for m in item}
        left -= self.specification.seen
        # Streams, the page and Prometheus text are no JSON; they are read by other tests.
        left = {name for name in left if not re.search(r"/stream$|/pages/|/metrics$|GET /$|GET /docs$|openapi.json", name)}
        self.assertEqual(left, set(), "operations nobody walked by")

    def operators(self):
        key = self.stack.key
        self.stack.put_event(**CONCERT)
        file = self.ask("GET", "/admin/v1/events/concert", 200, token=key)
        self.ask("PUT", "/admin/v1/events/concert", 200, file, key)
        self.stack.put_event(**COURSE)
        self.ask("POST", "/admin/v1/events/concert/plan", 200, {**file, "name": "Another name"}, key)
        self.ask("PATCH", "/admin/v1/events/concert/admission", 200, {"usersPerMinute": 59000}, key)
        self.ask("POST", "/admin/v1/events/concert/actions/message", 204, {"message": "Hello"}, key)
        self.ask("POST", "/admin/v1/keys", 201, {"name": "door", "role": "viewer"}, key)
        for path in ("keys", "cluster", "cluster/audit", "events/concert/stats", "events/concert/verify", "events/concert/audit", "events/concert/place",
                     "inspect/entities", "inspect/entity?kind=catalogue", "inspect/log?limit=3"):
            self.ask("GET", "/admin/v1/" + path, 200, token=key)
        self.ask("DELETE", "/admin/v1/keys/door", 204, token=key)
        for path in ("/healthz", "/readyz", "/.well-known/jwks.json"):
            self.ask("GET", path, 200)
        self.cluster(key)

    def cluster(self, key):
        actions = "/admin/v1/cluster/actions/"
        name = self.ask("GET", "/admin/v1/cluster", 200, token=key)["nodes"][0]["name"]
        self.ask("POST", actions + "join", 201, {"ttlSeconds": 60}, key)
        self.ask("POST", actions + "replace", 201, {"node": name, "ttlSeconds": 1}, key)
        self.ask("POST", actions + "drain", 409, {"node": name}, key)
        self.ask("POST", actions + "activate", 204, {"node": name}, key)
        self.ask("POST", actions + "remove", 409, {"node": name}, key)
        self.ask("POST", actions + "remove", 404, {"node": "nobody"}, key)
        self.ask("POST", "/admin/v1/backups", 201, {}, key)
        self.ask("GET", "/admin/v1/backups", 200, token=key)
        self.ask("POST", actions + "replication", 204, {"factor": 1}, key)
        self.ask("POST", actions + "replication", 409, {"factor": 3}, key)
        self.ask("POST", actions + "activate-feature", 409, {"level": 4_000_000_000}, key)
        self.ask("POST", actions + "transfer", 422, {"partition": 99_999}, key)
        self.ask("POST", actions + "rebalance", 204, {}, key)
        self.ask("POST", actions + "move", 200, {"event": "concert", "partition": 1}, key)
        self.ask("POST", actions + "move", 404, {"event": "nothing", "partition": 1}, key)

    def customers(self):
        event = "/api/v1/events/concert"
        for path in ("/api/v1/events", event, f"{event}/availability", f"{event}/blocks/A", f"{event}/status"):
            self.ask("GET", path, 200)
        token = self.ask("POST", f"{event}/queue", 200, {"userId": "ada"})["token"]
        self.ask("GET", f"{event}/queue", 200, token=token)
        self.ask("POST", f"{event}/queue/heartbeat", 204, {}, token)
        admission = self.ask("POST", f"{event}/queue/admission", 200, {}, token)["admissionToken"]
        wish = {"seats": ["A-1-1", "B-2-2"]}
        hold = self.ask("POST", f"{event}/holds", 201, wish, admission, **self.once())["holdId"]
        self.ask("GET", f"{event}/holds/{hold}", 200, token=admission)
        self.ask("POST", f"{event}/holds/{hold}/extend", 200, {}, admission)
        self.ask("DELETE", f"{event}/holds/{hold}", 204, token=admission)
        for card, status in (("4000000000009995", 200), ("4242424242424242", 201)):
            area = self.ask("POST", f"{event}/holds", 201, {"area": "pit", "quantity": 2}, admission, **self.once())
            paid = self.ask("POST", f"{event}/holds/{area['holdId']}/payment", status, {"method": "card", "card": card},
                            admission, Prefer="wait=10", **self.once())
        self.ask("GET", "/api/v1/reservations", 200, token=token)
        one = f"/api/v1/reservations/{paid['reservationId']}"
        self.ask("GET", one, 200, token=token)
        self.ask("GET", "/api/v1/concerts/ranking", 200)
        until = time.monotonic() + 10  # the ranking hears of a sale a moment later
        date = "/api/v1/concerts/2027-06-12/ranking"
        while http("GET", self.stack.url + date)[0] == 404 and time.monotonic() < until:
            time.sleep(0.05)
        self.ask("GET", date, 200)
        self.ask("DELETE", one, 202, token=token)
        token = self.ask("POST", f"{event}/queue", 200, {"userId": "grace"})["token"]
        self.ask("POST", f"{event}/queue/admission", 200, {}, token)
        self.ask("POST", f"{event}/queue/complete", 204, {}, token)
        token = self.ask("POST", f"{event}/queue", 200, {"userId": "joan"})["token"]
        self.ask("DELETE", f"{event}/queue", 204, token=token)

    def mistakes(self):
        event = "/api/v1/events/concert"
        _, admission = self.stack.enter("concert", "clumsy")
        self.ask("GET", "/api/v1/events/nothing", 404)
        self.ask("GET", f"{event}/blocks/Z", 404)
        self.ask("GET", f"{event}/queue", 401)
        self.ask("POST", f"{event}/queue", 400, {"userId": "x", "shoe": 42})
        self.ask("POST", f"{event}/holds", 400, {"seats": ["A-1-1"]}, admission)
        self.ask("POST", f"{event}/holds", 422, {"seats": ["Z-1-1"]}, admission, **self.once())
        self.ask("POST", f"{event}/holds", 422, {"area": "pit", "quantity": 9}, admission, **self.once())
        self.stack.hold("concert", self.stack.enter("concert", "quick")[1], {"seats": ["A-9-9"]})
        taken = self.ask("POST", f"{event}/holds", 409, {"seats": ["A-9-9"]}, admission, **self.once())
        self.assertEqual(taken["seats"], ["A-9-9"])
        self.ask("GET", f"{event}/holds/unheard-of", 404, token=admission)
        self.ask("GET", "/admin/v1/keys", 401)
        self.ask("PUT", "/admin/v1/events/concert", 422, {"id": "concert"}, self.stack.key)
        self.ask("POST", "/admin/v1/events/course/actions/close", 204, {}, self.stack.key)
        self.ask("POST", "/api/v1/events/course/queue", 409, {"userId": "late"})
        self.ask("DELETE", "/admin/v1/events/course", 204, token=self.stack.key)


if __name__ == "__main__":
    unittest.main(verbosity=2)
