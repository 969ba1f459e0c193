"""The operator's calls and the node's own, and that every route of the contract is there and described."""
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import contract
from contract import ContractCase
from harness import definition, main, wait_for

# The contract's routes that work on one node, by heart: neither from the code nor from its own specification.
ROUTES = """
POST /api/v1/events/{event}/queue
GET /api/v1/events/{event}/queue
DELETE /api/v1/events/{event}/queue
GET /api/v1/events/{event}/queue/stream
POST /api/v1/events/{event}/queue/admission
POST /api/v1/events/{event}/queue/complete
GET /api/v1/events/{event}/status
GET /api/v1/events/{event}/status/stream
GET /api/v1/events
GET /api/v1/events/{event}
GET /api/v1/events/{event}/availability
GET /api/v1/events/{event}/blocks/{block}
GET /api/v1/events/{event}/seats/stream
POST /api/v1/events/{event}/holds
GET /api/v1/events/{event}/holds/{hold}
POST /api/v1/events/{event}/holds/{hold}/extend
DELETE /api/v1/events/{event}/holds/{hold}
POST /api/v1/events/{event}/holds/{hold}/payment
GET /api/v1/reservations
GET /api/v1/reservations/{reservation}
GET /api/v1/reservations/{reservation}/stream
DELETE /api/v1/reservations/{reservation}
GET /api/v1/concerts/ranking
GET /api/v1/concerts/{date}/ranking
PUT /admin/v1/events/{event}
GET /admin/v1/events/{event}
DELETE /admin/v1/events/{event}
POST /admin/v1/events/{event}/plan
POST /admin/v1/events/{event}/actions/{action}
PATCH /admin/v1/events/{event}/admission
GET /admin/v1/events/{event}/stats
GET /admin/v1/events/{event}/audit
GET /admin/v1/events/{event}/verify
GET /admin/v1/events/{event}/place
GET /admin/v1/cluster
GET /admin/v1/cluster/audit
POST /admin/v1/cluster/actions/join
POST /admin/v1/cluster/actions/drain
POST /admin/v1/cluster/actions/remove
POST /admin/v1/cluster/actions/replace
POST /admin/v1/cluster/actions/move
POST /admin/v1/cluster/actions/rebalance
POST /admin/v1/cluster/actions/transfer
GET /admin/v1/keys
POST /admin/v1/keys
GET /healthz
GET /readyz
GET /metrics
GET /openapi.json
GET /docs
GET /.well-known/jwks.json
GET /
"""

STATS = {"phase": contract.PHASE, "waitingUsers": contract.is_count, "activeUsers": contract.is_count,
         "usersPerMinute": contract.is_count, "maxActiveUsers": contract.is_count, "sold": contract.is_count,
         "revenue": contract.is_number, "asOf": contract.is_time, "version": contract.is_count, **contract.COUNTS}
VERIFIED = {"ok": contract.is_flag, **contract.COUNTS, "oversold": contract.is_count, "unreadable": contract.is_count, "mismatches": []}


class Operator(ContractCase):
    def test_apply_is_declarative(self):
        http, path = self.node.client(self.node.key), "/admin/v1/events/show"
        event = definition("show")
        self.assertEqual(http.request("PUT", path, event).status, 201)
        again = http.request("PUT", path, event)
        self.assertEqual((again.status, again.json["changed"]), (200, False))
        file = http.get(path)
        self.assertEqual(file.status, 200)
        self.assertEqual(http.request("PUT", path, file.json).json["changed"], False)  # what it shows may be applied
        event["name"] = "Another"
        plan = http.post(path + "/plan", event)
        self.assertEqual((plan.status, [c["pointer"] for c in plan.json["changes"]]), (200, ["/name"]), plan)
        self.assertEqual(http.get(path).json["name"], "Show")  # a plan changes nothing
        self.assertEqual(http.request("PUT", path, event).json["changed"], True)

    def test_mistakes_in_a_file_are_all_named_and_nothing_is_applied(self):
        event = definition("wrong", limitPerUser=0, currency="euro")
        event["categories"][0]["price"] = -1
        answer = self.node.client(self.node.key).request("PUT", "/admin/v1/events/wrong", event)
        told = self.assert_problem(answer, 422, answer.json["code"])
        self.assertIn("/categories/0/price", [e["pointer"] for e in told["errors"]])
        self.assert_problem(self.node.client().get("/api/v1/events/wrong"), 404, "EVENT_UNKNOWN")
        other = self.node.client(self.node.key).request("PUT", "/admin/v1/events/else", definition("wrong"))
        self.assert_problem(other, 422, "DEFINITION_INVALID")

    def test_actions_admission_and_audit(self):
        node = self.node
        node.put_event(definition("acts"))
        http, path = node.client(node.key), "/admin/v1/events/acts"
        for action, body in (("pause", {}), ("resume", {}), ("message", {"message": "Doors at seven"}), ("drain", {}),
                             ("close", {}), ("open", {})):
            self.assertEqual(http.post(f"{path}/actions/{action}", body).status, 204, action)
        self.assertEqual(http.get("/api/v1/events/acts/status").json["message"], "Doors at seven")
        self.assert_problem(http.post(path + "/actions/dance", {}), 404, "NOT_FOUND")
        changed = http.request("PATCH", path + "/admission", {"usersPerMinute": 60, "maxActiveUsers": 7})
        self.assertEqual(changed.status, 200, changed)
        seen = wait_for(lambda: (s := http.get("/api/v1/events/acts/status").json) and s["usersPerMinute"] == 60 and s, 5)
        self.assert_shape(seen, contract.STATUS)
        self.assert_problem(http.request("PATCH", path + "/admission", {"usersPerMinute": 0}), 422, "BAD_VALUE")
        records = wait_for(lambda: (r := http.get(path + "/audit").json["records"]) and len(r) >= 8 and r, 5)
        self.assertEqual([r["what"] for r in records],
                         ["defined", "pause", "resume", "message", "drain", "close", "open", "admission"])
        self.assertTrue(all(contract.is_time(r["at"]) and r["by"] for r in records), records)

    def test_stats_and_verify(self):
        self.node.put_event(definition("figures"))
        self.customer("figures").enter().buy("A-1-1")
        stats = wait_for(lambda: (s := self.node.stats("figures"))["sold"] == 1 and s, 5)
        self.assert_shape(stats, STATS)
        self.assertEqual(stats["revenue"], 5000)
        told = self.assert_adds_up(self.node, "figures")
        self.assert_shape(told, VERIFIED)
        self.assertEqual(told["unreadable"], 0)
        self.assertRegex(told["seal"], f"^{told['facts']}-[0-9a-f]{{64}}$")

    def test_a_seal_is_asked_about(self):
        self.node.put_event(definition("sealed"))
        http = self.node.client(self.node.key)
        for path in ("events/sealed/verify", "events/sealed/audit", "cluster/audit"):
            seal = wait_for(lambda: (s := http.get(f"/admin/v1/{path}").json["seal"]) and not s.startswith("0-") and s, 5)
            self.assertNotIn("sealHolds", http.get(f"/admin/v1/{path}").json)
            self.assertIs(http.get(f"/admin/v1/{path}?seal={seal}").json["sealHolds"], True)
            wrong = seal[:-1] + ("0" if seal[-1] != "0" else "1")
            self.assertIs(http.get(f"/admin/v1/{path}?seal={wrong}").json["sealHolds"], False)
            self.assertIs(http.get(f"/admin/v1/{path}?seal=99999{seal}").json["sealHolds"], False)  # more than there are
            for nonsense in ("", "1", seal.upper().replace("-", "-A"), "0" + seal, seal + "0"):
                self.assert_problem(http.get(f"/admin/v1/{path}?seal={nonsense}"), 422, "BAD_VALUE")

    def test_delete(self):
        node = self.node
        node.put_event(definition("gone"))
        c = self.customer("gone").enter()
        hold = c.hold("A-1-1")
        http, path = node.client(node.key), "/admin/v1/events/gone"
        self.assert_problem(http.delete(path), 409, "EVENT_IN_SALE")
        reservation = c.pay(hold)
        c.await_state(reservation, "CONFIRMED")
        self.assert_problem(http.delete(path), 409, "EVENT_IN_SALE")
        self.assertEqual(http.delete(path + "?force=true").status, 204)
        wait_for(lambda: http.get("/api/v1/events/gone").status == 404, 5)
        node.put_event(definition("gone"))  # the same name again is another event: tokens of the first are refused
        self.assert_problem(c.http.get(c.base + "/queue", c.token), 401, "TOKEN_INVALID")

    def test_a_name_is_free_as_soon_as_its_event_is_gone(self):
        """Of many at once: the catalogue hears of it a moment later."""
        def again(name):
            numbers = set()
            for _ in range(20):
                numbers.add(self.node.put_event(definition(name))["number"])
                self.node.admin("DELETE", f"/events/{name}", expect=(204,))
            return len(numbers)
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(again, (f"again-{k}" for k in range(8)))), [20] * 8)

    def test_cluster_and_keys(self):
        told = self.node.admin("GET", "/cluster")
        self.assertEqual(len(told["partitions"]), 4)
        made = self.node.admin("POST", "/keys", {"name": "box-office", "role": "viewer"})
        self.assertTrue(made["key"])
        listed = self.node.admin("GET", "/keys")
        self.assertIn({"name": "box-office", "role": "viewer"}, listed["keys"])
        self.assertNotIn(made["key"], str(listed))
        self.node.admin("DELETE", "/keys/box-office")
        answer = self.node.client(made["key"]).get("/admin/v1/cluster")
        wait_for(lambda: self.node.client(made["key"]).get("/admin/v1/cluster").status == 401, 5, "the key is gone")
        self.assertIn(answer.status, (200, 401))


CLUSTER = {"clusterId": contract.is_text, "epoch": contract.is_count, "version": contract.is_text,
           "replication": contract.is_count,
           "nodes": [{"id": contract.is_count, "name": contract.is_id, "role": contract.one_of("MEMBER", "BRIDGE"),
                      "state": contract.one_of("ACTIVE", "DRAINING", "REMOVED"), "peerAddress": contract.is_text,
                      "httpAddress": contract.is_text, "version": contract.is_text, "reachable": contract.is_flag}],
           "partitions": [{"id": contract.is_count, "leader": contract.is_count, "term": contract.is_count,
                           "index": contract.is_count,
                           "replicas": [{"node": contract.is_count, "kind": contract.one_of("VOTER", "LEARNER"),
                                         "index": contract.is_count, "lag": contract.is_count}]}]}
JOIN_TOKEN = {"token": lambda v: re.fullmatch("slj_[a-z2-7]{26}", v), "expiresAt": contract.is_time, "peers": [contract.is_text]}


class Cluster(ContractCase):
    """What operators may do to a cluster of one node, and above all what they may not."""

    def act(self, action, body, key=None):
        return self.node.client(key or self.node.key).post(f"/admin/v1/cluster/actions/{action}", body)

    @property
    def own_name(self):
        return self.node.admin("GET", "/cluster")["nodes"][0]["name"]

    def test_the_cluster_is_described(self):
        told = self.node.admin("GET", "/cluster")
        self.assert_shape(told, CLUSTER)
        self.assertEqual((told["replication"], len(told["nodes"]), len(told["partitions"])), (1, 1, 4))
        self.assertEqual({p["leader"] for p in told["partitions"]}, {told["nodes"][0]["id"]})

    def test_a_join_token_is_shown_once_and_kept_as_a_hash(self):
        made = [self.act("join", body) for body in ({}, {"ttlSeconds": 60}, {"ttlSeconds": 60})]
        self.assertEqual([m.status for m in made], [201] * 3)
        for m in made:
            self.assert_shape(m.json, JOIN_TOKEN)
            self.assertEqual(m.json["peers"], [self.node.admin("GET", "/cluster")["nodes"][0]["peerAddress"]])
        self.assertEqual(len({m.json["token"] for m in made}), 3)
        self.assertGreater(made[0].json["expiresAt"], made[1].json["expiresAt"])  # an hour, unless said otherwise
        log = str(self.node.log_entries(0))
        self.assertIn(hashlib.sha256(made[0].json["token"].encode()).hexdigest(), log)
        self.assertNotIn(made[0].json["token"], log)
        inside = self.node.admin("GET", "/inspect/entity?kind=catalogue")
        self.assertNotIn(made[0].json["token"], str(inside))

    def test_mistakes_are_named(self):
        self.assert_problem(self.act("join", {"ttlSeconds": 0}), 422, "BAD_VALUE")
        self.assert_problem(self.act("join", {"ttlSeconds": 604801}), 422, "BAD_VALUE")
        self.assert_problem(self.act("join", {"ttl": 60}), 400, "UNKNOWN_FIELD")
        for action in ("drain", "activate", "remove", "replace"):
            self.assert_problem(self.act(action, {}), 422, "MISSING_FIELD")
            self.assert_problem(self.act(action, {"node": "no good"}), 422, "BAD_VALUE")
            self.assert_problem(self.act(action, {"node": ""}), 422, "BAD_VALUE")
            self.assert_problem(self.act(action, {"node": "nobody"}), 404, "NODE_UNKNOWN")
        self.assert_problem(self.act("transfer", {"partition": 4}), 422, "BAD_VALUE")
        self.assert_problem(self.act("transfer", {"partition": 0, "to": "nobody"}), 404, "NODE_UNKNOWN")
        self.assert_problem(self.act("rebalance", {"now": True}), 400, "UNKNOWN_FIELD")
        self.assert_problem(self.act("move", {"event": "nothing", "partition": 1}), 404, "EVENT_UNKNOWN")
        self.assert_problem(self.act("move", {"event": "no good", "partition": 1}), 422, "BAD_VALUE")
        self.assert_problem(self.act("move", {"event": "nothing", "partition": 4}), 422, "BAD_VALUE")
        self.assert_problem(self.act("move", {"event": "nothing"}), 422, "MISSING_FIELD")
        self.assert_problem(self.act("dance", {}), 404, "NOT_FOUND")

    def test_the_last_node_stays(self):
        name = self.own_name
        self.assertIn(name, self.assert_problem(self.act("drain", {"node": name}), 409, "TOO_FEW_NODES")["detail"])
        self.assertIn("drain", self.assert_problem(self.act("remove", {"node": name}), 409, "ACTION_NOT_ALLOWED")["detail"])
        self.assertEqual(self.act("activate", {"node": name}).status, 204)  # it is
        self.assertEqual(self.act("rebalance", {}).status, 204)
        self.assertEqual(self.node.admin("GET", "/cluster")["nodes"][0]["state"], "ACTIVE")

    def test_it_can_be_replaced_once_its_disk_is_gone(self):
        made = self.act("replace", {"node": self.own_name, "ttlSeconds": 1})
        self.assertEqual(made.status, 201, made)
        self.assert_shape(made.json, JOIN_TOKEN)
        self.assertEqual(made.json["peers"], [])  # nobody is left to knock at

    def test_one_node_holds_one_copy(self):
        self.assert_problem(self.act("replication", {"factor": 2}), 422, "BAD_VALUE")
        told = self.assert_problem(self.act("replication", {"factor": 3}), 409, "TOO_FEW_NODES")
        self.assertIn("there are 1", told["detail"])
        self.assertEqual(self.act("replication", {"factor": 1}).status, 204)

    def test_a_feature_nobody_knows_is_not_activated(self):
        self.assert_problem(self.act("activate-feature", {"level": 4_000_000_000}), 409, "VERSION_TOO_OLD")
        self.assert_problem(self.act("activate-feature", {"level": -1}), 422, "BAD_VALUE")

    def test_only_admins(self):
        made = self.node.admin("POST", "/keys", {"name": "cluster-operator", "role": "operator"})
        wait_for(lambda: self.node.client(made["key"]).get("/admin/v1/cluster").status == 200, 5, "the key is known")
        for action in ("join", "replace", "drain", "activate", "remove", "replication", "activate-feature", "transfer",
                       "rebalance", "move"):
            self.assert_problem(self.act(action, {"node": "a"}, made["key"]), 403, "FORBIDDEN")


class Described(ContractCase):
    def test_every_route_of_the_contract_is_in_the_specification(self):
        spec = self.node.client().get("/openapi.json").json
        self.assertTrue(spec["openapi"].startswith("3."))
        told = {f"{method.upper()} {path}" for path, item in spec["paths"].items() for method in item}
        missing = [r for r in ROUTES.strip().splitlines() if r not in told]
        self.assertEqual(missing, [])

    def test_every_route_of_the_contract_is_served(self):
        http = self.node.client()
        for route in ROUTES.strip().splitlines():
            method, path = route.split()
            for name in ("{event}", "{block}", "{hold}", "{reservation}", "{date}", "{action}"):
                path = path.replace(name, "none")
            with self.subTest(route=route):
                answer = http.request(method, path)
                self.assertNotEqual(answer.status, 405, answer)
                if answer.status == 404:
                    self.assertNotIn("nothing at this path", answer.json["detail"])

    def test_the_node(self):
        http = self.node.client()
        self.assertEqual(http.get("/healthz").status, 200)
        self.assertEqual(http.get("/readyz").json, {"ready": True, "reasons": []})
        metrics = http.get("/metrics")
        self.assertTrue(metrics.headers["Content-Type"].startswith("text/plain"))
        for line in metrics.body.decode().splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{[^}]*\})? [0-9.e+-]+|[a-z_]+(\{.*le=.*\})? \S+)$")
        page = http.get("/")
        self.assertEqual(page.status, 200)
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])


if __name__ == "__main__":
    main()
