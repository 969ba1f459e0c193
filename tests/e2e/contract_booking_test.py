"""Events, holds, payments, reservations and the ranking as the contract words them."""
import secrets

import contract
from contract import ContractCase
from harness import APPROVED, definition, main, wait_for

CARD = {"method": "card", "card": APPROVED}


class Catalogue(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("show", area=20, sale={"opensAt": "2026-01-01T10:00", "closesAt": "2031-01-01T10:00"}))

    def test_events(self):
        answer = self.node.client().get("/api/v1/events")
        self.assertEqual(answer.status, 200)
        self.assert_shape(answer.json, {"events": [contract.EVENT]})

    def test_one_event_in_full(self):
        answer = self.node.client().get("/api/v1/events/show")
        self.assert_shape(answer.json, contract.EVENT_IN_FULL)
        self.assertEqual(answer.json["saleWindow"], {"opensAt": "2026-01-01T09:00:00.000Z",
                                                     "closesAt": "2031-01-01T09:00:00.000Z"})

    def test_availability_and_blocks(self):
        http = self.node.client()
        told = http.get("/api/v1/events/show/availability").json
        self.assert_shape(told, contract.AVAILABILITY)
        for part in told["categories"] + told["blocks"] + told["areas"]:
            self.assertEqual(sum(part[n] for n in ("available", "held", "confirmed", "blocked")), part["capacity"])
        block = http.get("/api/v1/events/show/blocks/A")
        self.assert_shape(block.json, contract.BLOCK)
        self.assertEqual(len(block.json["seats"]), 20)
        self.assertEqual(http.get("/api/v1/events/show/blocks/A", If_None_Match=block.headers["ETag"]).status, 304)
        self.assert_problem(http.get("/api/v1/events/show/blocks/floor"), 404, "BLOCK_UNKNOWN")
        self.assert_problem(http.get("/api/v1/events/show/blocks/Z"), 404, "BLOCK_UNKNOWN")

    def test_versions_are_log_indexes_that_grow(self):
        c = self.customer("show").enter()
        read = lambda: self.node.client().get("/api/v1/events/show/blocks/A").json["version"]
        before = read()
        c.hold("A-2-10")
        wait_for(lambda: read() > before, 5, "the block's version grows")


class Holds(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("show", area=20, rows=8, limitPerUser=5, holdTtlSeconds=300))

    def test_hold_of_seats(self):
        c = self.customer("show").enter()
        answer = c.try_hold({"seats": ["A-1-1", "A-1-2"]})
        self.assertEqual(answer.status, 201, answer)
        told = answer.json
        self.assert_shape(told, contract.HOLD)
        self.assertEqual((sorted(s["id"] for s in told["seats"]), told["amount"], told["currency"]),
                         (["A-1-1", "A-1-2"], 10000, "EUR"))
        self.assertLessEqual(told["expiresInSeconds"], 300)
        self.assertEqual(answer.headers["Location"], f"{c.base}/holds/{told['holdId']}")
        shown = c.http.get(answer.headers["Location"], c.admission)
        self.assertEqual(shown.status, 200)
        self.assert_shape(shown.json, contract.HOLD)
        seats = {s["id"]: s["status"] for s in c.http.get(c.base + "/blocks/A").json["seats"]}
        self.assertEqual(seats["A-1-1"], "HELD")

    def test_hold_of_an_area(self):
        c = self.customer("show").enter()
        answer = c.try_hold({"area": "floor", "quantity": 3})
        self.assertEqual(answer.status, 201, answer)
        self.assert_shape(answer.json, contract.HOLD)
        self.assertEqual((answer.json["area"], answer.json["quantity"], answer.json["amount"]), ("floor", 3, 15000))

    def test_a_taken_seat_is_named_and_nothing_is_held(self):
        first, second = self.customer("show").enter(), self.customer("show").enter()
        first.hold("A-2-1")
        told = self.assert_problem(second.try_hold({"seats": ["A-2-1", "A-2-2"]}), 409, "SEAT_NOT_AVAILABLE")
        self.assertEqual(told["seats"], ["A-2-1"])
        second.hold("A-2-2")

    def test_refusals(self):
        c = self.customer("show").enter()
        for body, status, code in (
                ({"seats": ["Z-1"]}, 422, "SEAT_UNKNOWN"), ({"seats": []}, 422, "TOO_MANY_SEATS"),
                ({"seats": ["A-3-1", "A-3-1"]}, 422, "BAD_VALUE"), ({"seats": [1]}, 422, "BAD_VALUE"),
                ({"area": "none", "quantity": 1}, 422, "AREA_UNKNOWN"), ({"area": "floor"}, 422, "MISSING_FIELD"),
                ({"area": "floor", "quantity": 0}, 422, "BAD_VALUE"), ({"area": "floor", "quantity": "1"}, 422, "BAD_VALUE"),
                ({"area": "floor", "quantity": 1.0}, 422, "BAD_VALUE"),
                ({"area": "floor", "quantity": 2**31}, 422, "BAD_VALUE"),
                ({"area": "floor", "quantity": 2**63}, 422, "BAD_VALUE"),
                ({}, 422, "MISSING_FIELD"), ({"seats": ["A-3-1"], "colour": 1}, 400, "UNKNOWN_FIELD"),
                ({"area": "floor", "quantity": 6}, 422, "LIMIT_PER_USER"),
                ({"seats": [f"A-3-{n}" for n in range(1, 7)]}, 422, "LIMIT_PER_USER")):
            with self.subTest(body=body):
                self.assert_problem(c.try_hold(body), status, code)

    def test_keys(self):
        c = self.customer("show").enter()
        body = {"seats": ["A-4-1"]}
        post = lambda **fields: c.http.post(c.base + "/holds", body, c.admission, **fields)
        self.assert_problem(post(), 400, "IDEMPOTENCY_KEY_MISSING")
        self.assert_problem(post(key="x" * 300), 400, "IDEMPOTENCY_KEY_INVALID")
        first, again = post(key="one"), post(key="one")
        self.assertEqual((first.status, first.json), (again.status, again.json))
        self.assertEqual(first.status, 201)
        quoted = post(key='"one"')  # the draft's spelling of the same key
        self.assertEqual(quoted.json, first.json)
        other = c.http.post(c.base + "/holds", {"seats": ["A-4-2"]}, c.admission, "one")
        self.assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
        reordered = c.http.request("POST", c.base + "/holds", token=c.admission, headers={"Idempotency-Key": "one"},
                                   raw=b' {  "seats" : [ "A-4-1" ] } ')
        self.assertEqual(reordered.json, first.json)  # spaces do not make another request

    def test_a_refused_request_does_not_use_its_key_up(self):
        first, second = self.customer("show").enter(), self.customer("show").enter()
        hold = first.hold("A-5-1")
        self.assert_problem(second.try_hold({"seats": ["A-5-1"]}, "again"), 409, "SEAT_NOT_AVAILABLE")
        first.http.delete(f"{first.base}/holds/{hold}", first.admission)
        self.assertEqual(second.try_hold({"seats": ["A-5-1"]}, "again").status, 201)

    def test_extend_is_bounded_and_release_gives_back(self):
        c = self.customer("show").enter()
        path = f"{c.base}/holds/{c.hold('A-6-1')}"
        extended = c.http.post(path + "/extend", {}, c.admission, "once")
        self.assertEqual(extended.status, 200, extended)
        self.assert_shape(extended.json, contract.HOLD)
        self.assertEqual(c.http.post(path + "/extend", {}, c.admission, "once").status, 200)
        self.assert_problem(c.http.post(path + "/extend", {}, c.admission, "twice"), 409, "EXTENSION_LIMIT")
        self.assertEqual(c.http.delete(path, c.admission).status, 204)
        self.assert_problem(c.http.get(path, c.admission), 404, "HOLD_UNKNOWN")
        self.assertEqual(c.http.delete(path, c.admission).status, 204)  # whoever heard no answer may ask again

    def test_holds_are_ones_own(self):
        owner, other = self.customer("show").enter(), self.customer("show").enter()
        path = f"{owner.base}/holds/{owner.hold('A-7-1')}"
        for answer in (other.http.get(path, other.admission), other.http.delete(path, other.admission),
                       other.http.post(path + "/extend", {}, other.admission),
                       other.http.post(path + "/payment", CARD, other.admission, "k")):
            self.assert_problem(answer, 404, "HOLD_UNKNOWN")
        self.assert_problem(owner.http.get(path), 401, "UNAUTHENTICATED")

    def test_no_hold_after_the_visit(self):
        c = self.customer("show").enter()
        c.http.post(c.base + "/queue/complete", {}, c.token)
        self.assert_problem(c.try_hold({"seats": ["A-8-1"]}), 403, "NOT_ADMITTED")


class Payments(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("show", rows=8, keepActiveAfterBooking=True))
        cls.node.put_event(definition("course", rows=0, area=5, price=0))

    def test_payment_is_202_with_location_and_ends_confirmed(self):
        c = self.customer("show").enter()
        hold = c.hold("A-1-1")
        self.provider.control(delayMs=800)
        self.addCleanup(self.provider.behave)
        answer = c.try_pay(hold)
        self.assertEqual(answer.status, 202, answer)
        self.assert_shape(answer.json, contract.PAYING)
        path = answer.headers["Location"]
        self.assertEqual(path, "/api/v1/reservations/" + answer.json["reservationId"])
        seats = {s["id"]: s["status"] for s in c.http.get(c.base + "/blocks/A").json["seats"]}
        self.assertEqual(seats["A-1-1"], "HELD")  # pinned counts as held
        self.assert_problem(c.http.delete(f"{c.base}/holds/{hold}", c.admission), 409, "PAYMENT_RUNNING")
        told = c.http.get(path + "?waitMs=20000", c.admission)
        self.assertEqual((told.status, told.json["state"]), (200, "CONFIRMED"), told)
        self.assert_shape(told.json, contract.RESERVATION)
        own = c.http.get("/api/v1/reservations", c.token)  # the queue token reads them, too
        self.assert_shape(own.json, {"reservations": [contract.RESERVATION]})
        self.assertEqual([r["reservationId"] for r in own.json["reservations"]], [answer.json["reservationId"]])

    def test_prefer_wait(self):
        c = self.customer("show").enter()
        answer = c.try_pay(c.hold("A-2-1"), wait=20)
        self.assertEqual((answer.status, answer.json["state"]), (201, "CONFIRMED"), answer)
        self.assertTrue(answer.headers["Preference-Applied"].startswith("wait"))
        self.assert_shape(answer.json, contract.RESERVATION)
        declined = c.try_pay(c.hold("A-2-2"), {"method": "card", "card": "4000000000009995"}, wait=20)
        self.assertEqual((declined.status, declined.json["state"]), (200, "FAILED"), declined)
        self.assertEqual(declined.json["reason"], "INSUFFICIENT_FUNDS")

    def test_payment_keys(self):
        c = self.customer("show").enter()
        hold = c.hold("A-3-1")
        self.assert_problem(c.http.post(f"{c.base}/holds/{hold}/payment", CARD, c.admission), 400,
                            "IDEMPOTENCY_KEY_MISSING")
        key = secrets.token_hex(8)
        first = c.try_pay(hold, key=key)
        c.await_state(first.json["reservationId"], "CONFIRMED")
        again = c.try_pay(hold, key=key)  # the first answer, though the reservation went on
        self.assertEqual((again.status, again.json), (first.status, first.json))
        other = c.try_pay(hold, {"method": "card", "card": "4111111111111111"}, key)
        self.assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")

    def test_methods(self):
        c = self.customer("show").enter()
        hold = c.hold("A-4-1")
        for body, status, code in (({"method": "free"}, 422, "METHOD_NOT_ACCEPTED"), ({}, 422, "MISSING_FIELD"),
                                   ({"method": "gold"}, 422, "BAD_VALUE"), ({"method": "card"}, 422, "MISSING_FIELD"),
                                   ({"method": "card", "card": "12"}, 422, "BAD_VALUE"),
                                   ({**CARD, "cvc": "123"}, 400, "UNKNOWN_FIELD")):
            with self.subTest(body=body):
                self.assert_problem(c.try_pay(hold, body), status, code)
        f = self.customer("course").enter()
        answer = f.try_pay(f.hold_area("floor", 1), {"method": "free"})
        self.assertEqual(answer.status, 202)
        self.assertEqual(f.reservation(answer.json["reservationId"])["state"], "CONFIRMED")

    def test_cancelling_refunds(self):
        c = self.customer("show").enter()
        told = c.buy("A-5-1")
        path = "/api/v1/reservations/" + told["reservationId"]
        answer = c.http.delete(path, c.token)
        self.assertEqual((answer.status, answer.json["state"]), (202, "REFUND_PENDING"), answer)
        c.await_state(told["reservationId"], "REFUNDED")
        self.assertEqual(c.http.delete(path, c.token).status, 202)
        self.assertEqual(self.provider.payments()[told["reservationId"]]["refunded"], 5000)

    def test_reservations_are_ones_own(self):
        c, other = self.customer("show").enter(), self.customer("show").enter()
        path = "/api/v1/reservations/" + c.buy("A-6-1")["reservationId"]
        self.assert_problem(other.http.get(path, other.admission), 404, "RESERVATION_UNKNOWN")
        self.assert_problem(other.http.delete(path, other.admission), 404, "RESERVATION_UNKNOWN")
        self.assert_problem(c.http.get(path), 401, "UNAUTHENTICATED")

    def test_a_confirmed_reservation_frees_the_slot(self):
        self.node.put_event(definition("one", admission={"maxActiveUsers": 1}))
        first, second = self.customer("one").enter(), self.customer("one")
        self.assertEqual(second.join()["state"], "WAITING")
        first.buy("A-1-1")
        second.claim(5)
        self.assertEqual(first.http.get(first.base + "/queue", first.token).json["state"], "COMPLETED")


class Ranking(ContractCase):
    def test_ranking_counts_paid_seats_by_local_date(self):
        node = self.node
        late = definition("late", startsAt="2031-06-01T23:30", timeZone="America/New_York")  # 2 June in UTC
        for event in (late, definition("noon", startsAt="2031-06-02T12:00"), definition("none", startsAt="2031-06-03T12:00")):
            node.put_event(event)
        seller = self.customer("late").enter()
        told = seller.buy("A-1-1", "A-1-2")
        self.customer("noon").enter().buy("A-1-1")
        get = node.client().get
        expected = [("2031-06-01", 2, 1), ("2031-06-02", 1, 2)]
        read = lambda: [(r["concertDate"], r["soldOutCount"], r["rank"]) for r in get("/api/v1/concerts/ranking").json]
        wait_for(lambda: read() == expected, 10, "the ranking follows")
        self.assert_shape(get("/api/v1/concerts/ranking?limit=100").json, [contract.RANKED])
        self.assertEqual(len(get("/api/v1/concerts/ranking?limit=1").json), 1)
        self.assertEqual(get("/api/v1/concerts/2031-06-02/ranking").json["rank"], 2)
        self.assert_problem(get("/api/v1/concerts/2031-06-03/ranking"), 404, "NOT_FOUND")
        for limit in ("0", "101", "x", "-1", ""):
            self.assert_problem(get("/api/v1/concerts/ranking?limit=" + limit), 422, "BAD_VALUE")
        seller.http.delete("/api/v1/reservations/" + told["reservationId"], seller.token)
        wait_for(lambda: read() == [("2031-06-02", 1, 1)], 10, "refunds subtract")


if __name__ == "__main__":
    main()
