"""Payments that go well, badly, slowly or nowhere: seats and the provider's ledger must tell the same story."""
import secrets
import threading

from harness import APPROVED, Case, Customer, definition, main, wait_for

SETTLED = ("CONFIRMED", "FAILED", "CANCELLED", "REFUNDED")
PRICE = 5000


class PaymentCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.start_node()
        for event, window in (("show", 120), ("short", 10)):
            cls.node.put_event(definition(event, rows=20, seats=20, price=PRICE, keepActiveAfterBooking=True,
                                          paymentWindowSeconds=window))

    @classmethod
    def start_node(cls):
        """Where customers ask."""
        return cls.make_node(provider=cls.provider).start()

    def setUp(self):
        self.provider.behave()

    def customer(self, event="show"):
        return Customer(self.node, event).enter()

    def seat(self, id, event="show"):
        seats = self.node.client().get(f"/api/v1/events/{event}/blocks/A").json["seats"]
        return next(s["status"] for s in seats if s["id"] == id)

    def book(self, reservation):
        return self.provider.payments().get(reservation, {"captured": 0, "refunded": 0, "captures": 0, "state": "NONE"})

    def assert_consistent(self, customer, reservation, seat, *expected):
        """Waits until all is settled, and compares reservation, seat and money."""
        told = customer.await_state(reservation, *SETTLED, seconds=60)
        if expected:
            self.assertIn(told["state"], expected, told)
        # The void of a failed payment follows in the background.
        book = wait_for(lambda: (b := self.book(reservation))["state"] != "AUTHORISED" and b, 40, "no money stays reserved")
        confirmed = told["state"] == "CONFIRMED"
        self.assertEqual(book["captured"] - book["refunded"], PRICE if confirmed else 0, (told, book))
        self.assertLessEqual(book["captures"], 1, book)
        wait_for(lambda: self.seat(seat, customer.event) == ("CONFIRMED" if confirmed else "AVAILABLE"), 10,
                 f"{seat} follows {told['state']}")
        return told


class Outcomes(PaymentCase):
    def test_every_card(self):
        """All at once: each takes its time."""
        cards = {APPROVED: ("CONFIRMED", None), "4000000000009995": ("FAILED", "INSUFFICIENT_FUNDS"),
                 "4000000000000341": ("FAILED", "CAPTURE_DECLINED"), "4000000000000101": ("FAILED", "PROVIDER_UNREACHABLE"),
                 "4000000000000119": ("CONFIRMED", None), "4000000000000127": ("FAILED", "PROVIDER_UNREACHABLE"),
                 "4000000000000135": ("CONFIRMED", None), "4000000000000143": ("CONFIRMED", None),
                 "4000000000000150": ("CONFIRMED", None), "4000000000000168": ("CONFIRMED", None),
                 "4000000000000176": ("CONFIRMED", None)}
        begun = []
        for n, card in enumerate(cards, 1):
            c = self.customer()
            begun.append((c, c.pay(c.hold(f"A-1-{n}"), card), f"A-1-{n}", card))
        for c, reservation, seat, card in begun:
            with self.subTest(card=card):
                state, reason = cards[card]
                told = self.assert_consistent(c, reservation, seat, state)
                self.assertEqual(told.get("reason"), reason)
        self.assert_adds_up(self.node, "show")

    def test_stuck_and_freed(self):
        c = self.customer("short")
        card = "4000000000000184"
        reservation = c.pay(c.hold("A-2-1"), card)
        c.await_state(reservation, "STUCK", seconds=60)
        self.assertEqual(self.seat("A-2-1", "short"), "CONFIRMED")  # the money may have moved: nobody else gets it
        self.assert_problem(c.http.delete(f"/api/v1/reservations/{reservation}", c.token), 409, "NOT_CANCELLABLE")
        self.provider.control(cards={card: "approve"})
        self.assert_consistent(c, reservation, "A-2-1", "CONFIRMED")

    def test_a_payment_does_not_outlast_its_window(self):
        c = self.customer("short")
        reservation = c.pay(c.hold("A-1-1"), "4000000000000101")  # never answered
        told = self.assert_consistent(c, reservation, "A-1-1", "FAILED")
        self.assertIn(told["reason"], ("PAYMENT_TIMED_OUT", "PROVIDER_UNREACHABLE"))

    def test_nothing_to_pay_needs_no_provider(self):
        self.node.put_event(definition("free", price=0))
        before = self.provider.totals()
        c = Customer(self.node, "free").enter()
        answer = c.try_pay(c.hold("A-1-1"), {"method": "free"}, wait=5)
        self.assertEqual((answer.status, answer.json["state"]), (201, "CONFIRMED"))
        cancelled = c.http.delete("/api/v1/reservations/" + answer.json["reservationId"], c.token)
        self.assertEqual((cancelled.status, cancelled.json["state"]), (202, "CANCELLED"))
        self.assertEqual(self.provider.totals(), before)

    def test_two_cancels_refund_once(self):
        c = self.customer()
        reservation = c.pay(c.hold("A-3-1"))
        c.await_state(reservation, "CONFIRMED")
        path = f"/api/v1/reservations/{reservation}"
        rush = [threading.Thread(target=lambda: self.node.client(c.token).delete(path)) for _ in range(8)]
        for t in rush:
            t.start()
        for t in rush:
            t.join()
        self.assert_consistent(c, reservation, "A-3-1", "REFUNDED")
        self.assertEqual(self.book(reservation)["refunded"], PRICE)

    def test_two_payments_of_one_hold(self):
        c = self.customer()
        hold = c.hold("A-4-1")
        self.provider.control(delayMs=300)
        first, second = c.try_pay(hold), c.try_pay(hold)
        self.assertEqual(first.status, 202)
        self.assert_problem(second, 409, "PAYMENT_RUNNING")
        self.assert_consistent(c, first.json["reservationId"], "A-4-1", "CONFIRMED")

    def test_a_hold_does_not_lapse_while_it_is_paid(self):
        self.node.put_event(definition("brief", price=PRICE, holdTtlSeconds=5))
        c = Customer(self.node, "brief").enter()
        hold = c.hold("A-1-1")
        self.provider.control(delayMs=2900)  # authorise and capture together outlast the hold
        reservation = c.pay(hold)
        self.assertEqual(c.await_state(reservation, *SETTLED)["state"], "CONFIRMED")

    def test_a_flaky_provider(self):
        self.provider.control(mode="flaky", failEvery=3)
        begun = []
        for n in range(1, 21):
            c = self.customer()
            begun.append((c, c.pay(c.hold(f"A-5-{n}")), f"A-5-{n}"))
        states = [self.assert_consistent(*one)["state"] for one in begun]
        self.assertGreater(states.count("CONFIRMED"), 10, states)


class Outages(PaymentCase):
    def setUp(self):
        if not self.provider.running:
            self.provider.start()
        super().setUp()

    def test_no_provider_at_all_and_then_one(self):
        self.provider.stop()
        c = self.customer()
        reservation = c.pay(c.hold("A-1-1"))
        told = c.await_state(reservation, "FAILED", seconds=60)
        self.assertEqual(told["reason"], "PROVIDER_UNREACHABLE")
        self.assertEqual(self.seat("A-1-1"), "AVAILABLE")
        self.provider.start()
        self.assert_consistent(c, reservation, "A-1-1", "FAILED")
        self.assert_consistent(c, c.pay(c.hold("A-1-1")), "A-1-1", "CONFIRMED")

    def test_it_comes_back_in_time(self):
        self.provider.stop()
        c = self.customer()
        reservation = c.pay(c.hold("A-2-1"))
        self.provider.start()
        self.assert_consistent(c, reservation, "A-2-1")  # either way, but wholly

    def test_it_dies_after_taking_the_money(self):
        c = self.customer()
        card = "4111" + secrets.token_hex(6).translate(str.maketrans("abcdef", "123456"))
        for n, dies_at in enumerate(("AUTHORISED", "CAPTURED"), 1):
            with self.subTest(dies_at=dies_at):
                hold = c.hold(f"A-3-{n}")
                if dies_at == "CAPTURED":
                    self.provider.control(delayMs=1000)
                else:
                    self.provider.control(die="after-effect")
                reservation = c.pay(hold, card)
                if dies_at == "CAPTURED":
                    wait_for(lambda: self.book(reservation)["state"] == "AUTHORISED", 10)
                    self.provider.control(die="after-effect", delayMs=0)
                wait_for(lambda: not self.provider.running, 20, "the provider died")
                self.provider.start()
                self.assert_consistent(c, reservation, f"A-3-{n}", *(("CONFIRMED",) if dies_at == "CAPTURED" else ()))

    def test_refunds_wait_for_it(self):
        c = self.customer()
        reservation = c.pay(c.hold("A-4-1"))
        c.await_state(reservation, "CONFIRMED")
        self.provider.control(mode="down")
        answer = c.http.delete(f"/api/v1/reservations/{reservation}", c.token)
        self.assertEqual((answer.status, answer.json["state"]), (202, "REFUND_PENDING"))
        self.assertEqual(self.seat("A-4-1"), "AVAILABLE")
        self.provider.behave()
        self.assert_consistent(c, reservation, "A-4-1", "REFUNDED")

    def test_a_frozen_provider(self):
        c = self.customer()
        hold = c.hold("A-5-1")
        self.provider.pause()
        reservation = c.pay(hold)
        self.assertEqual(self.node.client().get("/readyz").status, 200)  # the line does not suffer
        self.customer()
        self.provider.resume()
        self.assert_consistent(c, reservation, "A-5-1")


if __name__ == "__main__":
    main()
