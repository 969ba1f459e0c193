"""Many at the same moment: one seat has one winner, one key one answer, one user one place."""
import secrets
import threading

from harness import APPROVED, Case, Customer, definition, main, wait_for


def at_once(calls):
    """Runs all calls together; their results in order."""
    results = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(n, call):
        gate.wait()
        results[n] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


class Race(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()
        blocks = [{"id": b, "category": "seat", "rows": 10, "seatsPerRow": 10} for b in ("A", "B", "C")]
        cls.node.put_event(definition("show", area=10, limitPerUser=4, keepActiveAfterBooking=True,
                                      sections=[{"id": "s", "blocks": blocks}]))

    def customers(self, count):
        return [Customer(self.node, "show").enter() for _ in range(count)]

    def tearDown(self):
        self.assert_adds_up(self.node, "show")

    def test_one_seat_has_one_winner(self):
        crowd = self.customers(20)
        for n in range(1, 5):  # one customer may win them all: no more than a user may hold
            answers = at_once([lambda c=c: c.try_hold({"seats": [f"A-1-{n}"]}) for c in crowd])
            self.assertEqual(sorted(a.status for a in answers), [201] + [409] * 19)

    def test_places_are_not_oversold(self):
        crowd = self.customers(30)
        answers = at_once([lambda c=c: c.try_hold({"area": "floor", "quantity": 1}) for c in crowd])
        self.assertEqual(sorted(a.status for a in answers), [201] * 10 + [409] * 20)

    def test_the_limit_holds_for_requests_at_once(self):
        c = self.customers(1)[0]
        calls = [lambda n=n: Customer.try_hold(self.twin(c), {"seats": [f"A-2-{n}"]}) for n in range(1, 11)]
        answers = at_once(calls)
        self.assertEqual(sorted(a.status for a in answers), [201] * 4 + [422] * 6)

    def twin(self, c):
        """The same customer on another connection."""
        twin = Customer(self.node, "show", c.user)
        twin.token, twin.admission = c.token, c.admission
        return twin

    def test_one_key_has_one_answer(self):
        c = self.customers(1)[0]
        answers = at_once([lambda: self.twin(c).try_hold({"seats": ["A-3-1"]}, "same") for _ in range(10)])
        holds = {a.json["holdId"] for a in answers if a.status == 201}
        self.assertEqual(len(holds), 1)
        for a in answers:
            if a.status != 201:
                self.assert_problem(a, 409, "IDEMPOTENCY_KEY_IN_USE")
        hold, key = holds.pop(), secrets.token_hex(8)
        paid = at_once([lambda: self.twin(c).try_pay(hold, key=key) for _ in range(10)])
        reservations = {a.json["reservationId"] for a in paid if a.status == 202}
        self.assertEqual(len(reservations), 1, paid)
        c.await_state(reservations.pop(), "CONFIRMED")
        self.assertEqual([p["captures"] for r, p in self.provider.payments().items()
                          if r in {a.json.get("reservationId") for a in paid}], [1])

    def test_one_user_has_one_place_and_one_turn(self):
        user = "u-" + secrets.token_hex(5)
        joins = at_once([lambda: Customer(self.node, "show", user).join() for _ in range(20)])
        self.assertEqual(len({j["ticketNumber"] for j in joins}), 1)
        claims = at_once([lambda: self.node.client().post("/api/v1/events/show/queue/admission", {}, joins[0]["token"])
                          for _ in range(20)])
        self.assertEqual({a.status for a in claims}, {200})
        self.assertEqual(len({a.json["admissionToken"] for a in claims}), 1)

    def test_all_or_nothing_across_blocks(self):
        first, second = self.customers(2)
        for n in range(1, 11):
            wishes = [(first, [f"A-5-{n}", f"B-5-{n}", f"C-5-{n}"]), (second, [f"C-5-{n}", f"B-6-{n}", f"A-5-{n}"])]
            answers = at_once([lambda c=c, w=w: c.try_hold({"seats": w}) for c, w in wishes])
            self.assertEqual(sorted(a.status for a in answers), [201, 409], answers)
            won = 0 if answers[0].status == 201 else 1
            self.assertTrue(set(answers[1 - won].json["seats"]) <= {f"A-5-{n}", f"C-5-{n}"})
            held = {f"{b}-{r}-{n}" for b in "ABC" for r in (5, 6) if self.seat(f"{b}-{r}-{n}") == "HELD"}
            self.assertEqual(held, set(wishes[won][1]))
            winner = wishes[won][0]
            path = f"{winner.base}/holds/{answers[won].json['holdId']}"
            self.assertEqual(winner.http.delete(path, winner.admission).status, 204)

    def seat(self, id):
        seats = self.node.client().get(f"/api/v1/events/show/blocks/{id[0]}").json["seats"]
        return next(s["status"] for s in seats if s["id"] == id)

    def test_paying_and_releasing(self):
        c = self.customers(1)[0]
        for n in range(1, 9):
            hold = c.hold(f"A-7-{n}")
            paid, released = at_once([
                lambda: self.twin(c).try_pay(hold, {"method": "card", "card": APPROVED}, wait=10),
                lambda: self.node.client().delete(f"{c.base}/holds/{hold}", c.admission)])
            if released.status == 204:
                self.assert_problem(paid, 404, "HOLD_UNKNOWN")
                self.assertEqual(self.seat(f"A-7-{n}"), "AVAILABLE")
                continue
            self.assertEqual((paid.status, paid.json["state"]), (201, "CONFIRMED"), paid)
            self.assertIn(released.status, (404, 409), released)
            reservation = paid.json["reservationId"]
            c.http.delete(f"/api/v1/reservations/{reservation}", c.token)
            c.await_state(reservation, "REFUNDED")
            wait_for(lambda: self.seat(f"A-7-{n}") == "AVAILABLE", 5)


if __name__ == "__main__":
    main()
