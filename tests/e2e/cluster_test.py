"""Three nodes, each of which answers everything, whichever of them leads, dies, freezes or comes back."""
import json
import secrets
import socket
import time

from cluster import ClusterCase
from harness import Customer, definition, main, wait_for
from web import parse_answer


class Traveller(Customer):
    """A customer whose every request goes to another node."""

    def __init__(self, nodes, event, user=None):
        super().__init__(nodes[0], event, user)
        self.lines = [n.client() for n in nodes]
        self.turn = 0

    @property
    def http(self):
        self.turn += 1
        return self.lines[self.turn % len(self.lines)]

    @http.setter
    def http(self, line):
        pass  # the first node's, before there are others


class AnyNode(ClusterCase):
    """Nothing fails here but what a test kills."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nodes = cls.cluster.nodes
        cls.cluster.put_event(definition("show", rows=20, seats=20, area=50, keepActiveAfterBooking=True))
        cls.cluster.put_event(definition("narrow", admission={"maxActiveUsers": 1}))

    def setUp(self):
        for node in self.nodes:
            if not node.running:
                node.start()
        self.cluster.await_replicated()

    def traveller(self, event="show"):
        return Traveller(self.nodes, event)

    def on_all(self, read, what, seconds=5):
        """`read(node)` comes true on every node."""
        for node in self.nodes:
            if node.running:
                wait_for(lambda: read(node), seconds, f"{what} on {node.title}")

    def seat(self, node, id, event="show"):
        seats = node.client().get(f"/api/v1/events/{event}/blocks/A").json["seats"]
        return next(s["status"] for s in seats if s["id"] == id)

    def test_each_step_on_another_node(self):
        for start in range(3):
            c = self.traveller()
            c.turn = start
            with self.subTest(start=start):
                c.enter()
                hold = c.hold(f"A-1-{start + 1}")
                self.assertEqual(c.http.post(f"{c.base}/holds/{hold}/extend", {}, c.admission, "x").status, 200)
                self.assertEqual(c.http.get(f"{c.base}/holds/{hold}", c.admission).status, 200)
                told = c.await_state(c.pay(hold), "CONFIRMED")
                other = c.hold_area("floor", 2)
                self.assertEqual(c.http.delete(f"{c.base}/holds/{other}", c.admission).status, 204)
                self.assertEqual(c.http.get(f"{c.base}/holds/{other}", c.admission).status, 404)
                for _ in self.nodes:
                    self.assertEqual(c.reservation(told["reservationId"])["state"], "CONFIRMED")
                    mine = c.http.get("/api/v1/reservations", c.token).json
                    self.assertIn(told["reservationId"], str(mine))
                self.assertEqual(c.http.delete(f"/api/v1/reservations/{told['reservationId']}", c.token).status, 202)
                c.await_state(told["reservationId"], "REFUNDED")
                self.assertEqual(c.http.post(c.base + "/queue/complete", {}, c.token).status, 204)

    def test_what_is_shown_is_shown_everywhere(self):
        ranked = lambda node: sum(r["soldOutCount"] for r in node.client().get("/api/v1/concerts/ranking").json)
        floor = lambda node: next(a for a in node.client().get("/api/v1/events/show/availability").json["areas"]
                                  if a["id"] == "floor")
        before = ranked(self.nodes[0]), floor(self.nodes[0])["held"]
        c = self.traveller().enter()
        hold = c.hold("A-2-1")
        self.on_all(lambda n: self.seat(n, "A-2-1") == "HELD", "the seat is held")
        c.await_state(c.pay(hold), "CONFIRMED")
        self.on_all(lambda n: self.seat(n, "A-2-1") == "CONFIRMED", "the seat is sold")
        self.on_all(lambda n: ranked(n) == before[0] + 1, "the ranking counts it")
        c.hold_area("floor", 3)
        self.on_all(lambda n: floor(n)["held"] == before[1] + 3, "places are held")
        figures = {str(n.stats("show")["confirmed"]) for n in self.nodes}
        self.assertEqual(len(figures), 1, figures)
        self.on_all(lambda n: n.verify("show")["ok"], "the recount is clean")

    def test_who_put_an_event_may_use_it_anywhere(self):
        for n in range(12):
            self.nodes[n % 3].put_event(definition(f"at-once-{n}", rows=1))
            for node in self.nodes:
                answer = node.client().get(f"/api/v1/events/at-once-{n}")
                self.assertEqual(answer.status, 200, f"{node.title}: {answer}")

    def test_operators_use_any_node(self):
        first, second, third = self.nodes
        second.put_event(definition("fresh", rows=3))
        self.on_all(lambda n: n.client().get("/api/v1/events/fresh").status == 200, "the event is known")
        third.act("fresh", "pause")
        self.on_all(lambda n: n.client().get("/api/v1/events/fresh/status").json["phase"] == "PAUSED", "it pauses")
        first.act("fresh", "resume")
        second.set_admission("fresh", maxActiveUsers=77)
        self.on_all(lambda n: n.stats("fresh")["maxActiveUsers"] == 77, "the cap is known")
        told = {json.dumps(n.admin("GET", "/events/fresh/audit")) for n in self.nodes}
        self.assertEqual(len(told), 1, "each node tells the same story")
        made = second.admin("POST", "/keys", {"name": "office", "role": "viewer"})["key"]
        self.on_all(lambda n: n.client(made).get("/admin/v1/cluster").status == 200, "a new key opens")
        third.admin("DELETE", "/keys/office")
        self.on_all(lambda n: n.client(made).get("/admin/v1/cluster").status == 401, "and is taken back")
        first.admin("DELETE", "/events/fresh")
        self.on_all(lambda n: n.client().get("/api/v1/events/fresh").status == 404, "the event is gone")

    def test_one_key_one_answer_everywhere(self):
        c = self.traveller().enter()
        made = [c.try_hold({"seats": ["A-3-1"]}, "k-1") for _ in range(6)]
        self.assertEqual({(m.status, m.body) for m in made}, {(201, made[0].body)})
        self.assert_problem(c.try_hold({"seats": ["A-3-2"]}, "k-1"), 422, "IDEMPOTENCY_KEY_REUSED")
        paid = [c.try_pay(made[0].json["holdId"], key="k-2") for _ in range(6)]
        self.assertEqual({(p.status, p.json["reservationId"]) for p in paid}, {(202, paid[0].json["reservationId"])})
        c.await_state(paid[0].json["reservationId"], "CONFIRMED")
        home = self.cluster.leader_of_event("show")
        home.kill()
        alive = Customer(self.cluster.any(), "show", c.user)
        alive.token, alive.admission = c.token, c.admission
        again = alive.try_hold({"seats": ["A-3-1"]}, "k-1")
        self.assertEqual((again.status, again.body), (201, made[0].body))
        claims = {n.client().post(c.base + "/queue/admission", {}, c.token).json["admissionToken"]
                  for n in self.cluster.live()}
        self.assertEqual(claims, {c.admission})
        joined = alive.http.post(c.base + "/queue", {"userId": c.user})
        self.assertEqual((joined.status, joined.json["state"]), (200, "ACTIVE"), "one place, however often one joins")

    def test_waiting_for_the_end_of_it(self):
        for n in range(3):
            c = self.traveller()
            c.turn = n
            c.enter()
            paid = c.try_pay(c.hold(f"A-4-{n + 1}"), wait=10)
            self.assertEqual((paid.status, paid.json["state"]), (201, "CONFIRMED"), paid)
            self.assertEqual(paid.headers["Preference-Applied"], "wait")
        inside = self.traveller("narrow").enter()
        for node in self.nodes:
            waits = Customer(node, "narrow")
            self.assertEqual(waits.join()["state"], "WAITING")
            poll = waits.http.get(waits.base + "/queue?waitMs=400", waits.token)
            self.assertEqual((poll.status, poll.json["position"]), (200, 1))
            self.assertEqual(waits.http.delete(waits.base + "/queue", waits.token).status, 204)
        self.assertEqual(inside.http.post(inside.base + "/queue/complete", {}, inside.token).status, 204)

    def test_streams_outlive_every_other_node(self):
        for mine in self.nodes:
            with self.subTest(node=mine.title):
                self.streams_outlive_the_others(mine)

    def streams_outlive_the_others(self, mine):
        c = Customer(mine, "show").enter()
        streams = {name: mine.stream(f"/api/v1/events/show/{name}/stream", c.token, 20)
                   for name in ("status", "seats", "queue")}
        for stream in streams.values():
            self.addCleanup(stream.close)
            stream.next()
        for n, victim in enumerate([v for v in self.nodes if v is not mine]):
            victim.kill()
            message = f"{victim.title} is gone"
            self.cluster.live()[-1].act("show", "message", {"message": message})
            streams["status"].until(lambda e: e["data"]["message"] == message)
            streams["queue"].until(lambda e: e["event"] == "notice" and e["data"]["message"] == message)
            hold = c.hold(f"A-{4 + mine.number}-{n + 1}")
            streams["seats"].until(lambda e: any(s["status"] == "HELD" for s in e["data"]["seats"]))
            paid = c.pay(hold)
            streams["queue"].until(lambda e: e["event"] == "booking" and e["data"]["reservationId"] == paid and
                                   e["data"]["state"] == "CONFIRMED")
            victim.start()
            self.cluster.await_replicated()

    def test_positions_fall_everywhere(self):
        inside = Customer(self.nodes[0], "narrow").enter()
        line = [Customer(self.nodes[n % 3], "narrow") for n in range(6)]
        for n, c in enumerate(line, 1):
            self.assertEqual(c.join()["position"], n)
        for c in line:
            self.assertEqual(inside.http.post(inside.base + "/queue/complete", {}, inside.token).status, 204)
            c.claim()
            inside = c
        inside.http.post(inside.base + "/queue/complete", {}, inside.token)


class Pauses(ClusterCase):
    """A node that stood still for a while and does not know it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=10, keepActiveAfterBooking=True))

    def send_ahead(self, node, method, path, token, body=None, key=None):
        """A request to a node that stands still: it lies in the socket, and is the first thing the node sees."""
        s = socket.create_connection((node.host, node.port), 30)
        self.addCleanup(s.close)
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {token}", "Connection: close",
                 f"Content-Length: {len(text)}"]
        lines += ["Content-Type: application/json"] if text else []
        lines += [f"Idempotency-Key: {key}"] if key else []
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
        return s

    def answer(self, s):
        data = b""
        while chunk := s.recv(65536):
            data += chunk
        return parse_answer(data)[0]

    def test_a_leader_that_wakes_tells_and_does_nothing_old(self):
        for round in range(1, 4):
            with self.subTest(round=round):
                self.wake_a_leader(round)

    def wake_a_leader(self, round):
        leader = self.cluster.leader_of_event("show")
        here = self.cluster.any(but=leader)
        c, other = Customer(here, "show").enter(), Customer(here, "show").enter()
        held, sold = c.hold(f"A-{round}-1"), c.pay(c.hold(f"A-{round}-2"))
        c.await_state(sold, "CONFIRMED")
        leader.pause()
        try:
            began = time.monotonic()
            self.assertEqual(c.http.delete(f"{c.base}/holds/{held}", c.admission).status, 204)
            took = time.monotonic() - began
            other.hold(f"A-{round}-1")
            self.assertEqual(c.http.delete(f"/api/v1/reservations/{sold}", c.token).status, 202)
            c.await_state(sold, "REFUNDED")
            other.hold(f"A-{round}-2")
            left = Customer(here, "show").enter()
            self.assertEqual(left.http.delete(left.base + "/queue", left.token).status, 204)
            asked = [self.send_ahead(leader, "GET", f"{c.base}/holds/{held}", c.admission) for _ in range(20)]
            reserved = [self.send_ahead(leader, "GET", f"/api/v1/reservations/{sold}", c.token) for _ in range(20)]
            wanted = [self.send_ahead(leader, "POST", c.base + "/holds", c.admission, {"seats": [f"A-{round}-{n}"]},
                                      secrets.token_hex(4)) for n in (1, 2)]
            gone = self.send_ahead(leader, "GET", left.base + "/queue", left.token)
        finally:
            leader.resume()
        self.assertLess(took, 4, "others take over from a leader that stands still")
        for s in asked:
            self.assert_problem(self.answer(s), 404, "HOLD_UNKNOWN")
        for s in reserved:
            told = self.answer(s)
            self.assertEqual((told.status, told.json["state"]), (200, "REFUNDED"), told)
        for s in wanted:
            self.assert_problem(self.answer(s), 409, "SEAT_NOT_AVAILABLE")
        told = self.answer(gone)
        self.assertEqual((told.status, told.json["state"]), (200, "LEFT"), told)
        self.cluster.await_equal_states()

    def test_a_follower_that_stands_still_is_not_missed(self):
        leader = self.cluster.leader_of_event("show")
        sleeper = self.cluster.any(but=leader)
        sleeper.pause()
        try:
            c = Customer(leader, "show").enter()
            slowest = 0
            for n in range(60):
                began = time.monotonic()
                hold = c.hold(f"A-8-{n % 10 + 1}")
                self.assertEqual(c.http.delete(f"{c.base}/holds/{hold}", c.admission).status, 204)
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.03)
        finally:
            sleeper.resume()
        self.assertLess(slowest, 2.5)  # partitions it led had to move; nothing else waits for it
        self.cluster.await_equal_states()
        wait_for(sleeper.is_ready, 20, "it is back")

    def test_what_a_node_missed_comes_compressed(self):
        sleeper = self.cluster[3]
        sleeper.stop()
        wait_for(self.cluster[1].is_ready, 10, "every partition has a leader, also after what the test before did")
        load = self.cluster[1].bench("join", "-s", 4, "--warm-up", 0, "-c", 32)
        _, complaint = load.communicate()
        self.assertEqual(load.returncode, 0, complaint)
        sleeper.start()
        self.cluster.await_replicated()
        self.cluster.await_equal_states()
        before, after = (sum(n.metric(f"sluice_peer_{what}_bytes_total") for n in self.cluster.nodes[:2])
                         for what in ("packed", "packed_to"))
        self.assertGreater(before, 128 * 1024, "nothing was packed")
        self.assertLess(after, 0.7 * before)

    def test_a_lone_node_acknowledges_nothing(self):
        leader = self.cluster.leader_of_event("show")
        c = Customer(leader, "show").enter()
        others = [n for n in self.cluster.nodes if n is not leader]
        for n in others:
            n.pause()
        try:
            time.sleep(1.5)
            began = time.monotonic()
            answer = c.try_hold({"seats": ["A-9-1"]}, "lone")
            took = time.monotonic() - began
            self.assertEqual(answer.status, 503, answer)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertLess(took, 7)
            read = leader.client().get("/api/v1/reservations", c.token)
            self.assertEqual(read.status, 503, "nor does it tell what it can not be sure of")
        finally:
            for n in others:
                n.resume()
        again = wait_for(lambda: (a := c.try_hold({"seats": ["A-9-1"]}, "lone")).status != 503 and a, 20, "the key works")
        self.assertEqual(again.status, 201, again)
        self.cluster.await_equal_states()


if __name__ == "__main__":
    main()
