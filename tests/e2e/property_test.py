"""Thousands of generated requests against what the specification says: every answer is one it names, errors are problems
with a named code, and nothing brings the node down. The seed is printed; SLUICE_SEED repeats a run."""
import os
import random
import secrets

import contract
from harness import Case, Customer, definition, main

REQUESTS = 20_000
TRANSPORT = {400, 405, 408, 411, 413, 414, 415, 417, 431, 503}
IDS = ["show", "A", "floor", "none", "x" * 64, "x" * 65, "..", "%2e%2e", "a%00b", "%", "%C3%A9", "0",
       "-1", "2031-05-01", "pause", "resume", "a" * 32, "~", "a b".replace(" ", "%20"), "%F0%9F%98%80"]
VALUES = [None, True, False, 0, 1, -1, 2, 8, 10**9, 2**31, 2**63, 2**64, 10**400, 0.5, 1e308, "", "a", "A-1-1", "floor", "card",
          "free", "4242424242424242", "x" * 2000, "\u202e", "\ud83d", "ß", [], ["A-1-1"], ["A-1-2", "A-1-3"], ["A-1-1"] * 3,
          [[]], {}, {"a": 1}, [None], list(range(200))]
NAMES = ["waitMs", "limit", "after", "partition", "event", "kind", "user", "force", ""]  # in the query
TEXTS = ["", "0", "1", "-1", "99", "18446744073709551616", "x", "%00", "%", "session"]
FIELDS = ["userId", "seats", "area", "quantity", "method", "card", "message", "name", "role", "usersPerMinute",
          "maxActiveUsers", "id", "colour", "admission", ""]


class Properties(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()
        cls.node.put_event(definition("show", area=50, keepActiveAfterBooking=True))
        cls.inside = Customer(cls.node, "show").enter()
        cls.hold = cls.inside.hold("A-2-1")
        cls.reservation = cls.inside.buy("A-2-2")["reservationId"]
        cls.spec = cls.node.client().get("/openapi.json").json

    def setUp(self):
        seed = os.environ.get("SLUICE_SEED") or secrets.token_hex(4)
        print(f"seed {seed}", flush=True)
        self.dice = random.Random(seed)

    def operations(self):
        for path, item in self.spec["paths"].items():
            for method, operation in item.items():
                if method in ("get", "post", "put", "patch", "delete") and not path.endswith("/stream"):
                    yield method.upper(), path, operation

    def fill(self, path):
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            likely = {"event": "show", "hold": self.hold, "reservation": self.reservation, "block": "A"}
            value = likely[name] if name in likely and self.dice.random() < 0.7 else self.dice.choice(IDS)
            path = before + value + after
        if self.dice.random() < 0.2:
            path += "?" + "&".join(f"{self.dice.choice(NAMES)}={self.dice.choice(TEXTS)}"
                                   for _ in range(self.dice.randint(1, 4)))
        return path

    def body(self):
        if self.dice.random() < 0.15:
            return secrets.token_bytes(self.dice.randint(0, 200))
        if self.dice.random() < 0.1:
            return {**definition(self.dice.choice(("show", "other"))), self.dice.choice(FIELDS): self.dice.choice(VALUES)}
        return {self.dice.choice(FIELDS): self.dice.choice(VALUES) for _ in range(self.dice.randint(0, 3))}

    def headers(self, path):
        token = self.dice.choice([self.inside.token, self.inside.admission, self.node.key, "nonsense", ""])
        if path.startswith("/admin") and self.dice.random() < 0.7:
            token = self.node.key
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        if self.dice.random() < 0.5:
            fields["Idempotency-Key"] = self.dice.choice(["a", "b", "", " ", "x" * 200, '"q"', secrets.token_hex(4)])
        if self.dice.random() < 0.1:
            fields["Prefer"] = self.dice.choice(["wait=0", "wait=x", "wait=99999999999", "wait=1", "respond-async"])
        if self.dice.random() < 0.1:
            fields["If-None-Match"] = self.dice.choice(["*", '"x"', "", "W/"])
        if self.dice.random() < 0.1:
            fields["Content-Type"] = self.dice.choice(["application/json; charset=utf-8", "text/plain", ""])
        return fields

    def test_answers_are_those_of_the_specification(self):
        http = self.node.client(timeout=40)
        operations = list(self.operations())
        seen = {}
        for n in range(REQUESTS):
            method, pattern, operation = self.dice.choice(operations)
            if (method, pattern) in (("DELETE", "/admin/v1/events/{event}"), ("DELETE", "/admin/v1/keys/{key}")) or \
                    pattern.endswith("/actions/{action}"):
                continue  # they would take the ground from under the others
            path, body = self.fill(pattern), self.body() if method in ("POST", "PUT", "PATCH") else None
            raw, body = (body, None) if isinstance(body, bytes) else (None, body)
            if "waitMs=99" in path:
                path = path.replace("waitMs=99", "waitMs=9")
            answer = http.request(method, path, body, headers=self.headers(path), raw=raw)
            with self.subTest(n=n, method=method, path=path, body=body or raw):
                named = {int(s) for s in operation["responses"] if s.isdigit()}
                self.assertIn(answer.status, named | TRANSPORT, answer)
                self.assertNotEqual(answer.status, 500, answer)
                if answer.status >= 400 and not (pattern == "/readyz" and answer.status == 503):
                    self.assert_problem(answer, answer.status, answer.json["code"])
                    self.assertEqual(contract.mistakes(answer.json, contract.PROBLEM), [])
            seen[answer.status] = seen.get(answer.status, 0) + 1
        print(f"answers: {dict(sorted(seen.items()))}")
        self.assertTrue({200, 400, 401, 404, 422} <= seen.keys(), seen)
        self.assertTrue(self.node.is_ready())
        self.assert_adds_up(self.node, "show")


if __name__ == "__main__":
    main()
