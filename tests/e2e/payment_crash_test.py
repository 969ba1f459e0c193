"""The node is killed in every phase of a payment, and the provider with it: what comes out agrees with its ledger."""
from harness import main, wait_for
from payment_test import PaymentCase


class Phases(PaymentCase):
    def crash(self, also_provider=False):
        self.node.kill()
        if also_provider:
            self.provider.kill()
        self.node.start()
        if also_provider:
            self.provider.start()

    def pay_slowly(self, seat, card=None):
        """Begins a payment whose every answer comes late: after an effect there is time to kill the node."""
        c = self.customer()
        hold = c.hold(seat)
        self.provider.control(delayMs=1200)
        return c, c.pay(hold, *([card] if card else []))

    def reach(self, reservation, state):
        wait_for(lambda: self.book(reservation)["state"] == state, 20, f"the provider's books say {state}", 0.01)

    def test_after_the_hold(self):
        c = self.customer()
        hold = c.hold("A-1-1")
        c.http.close()
        self.crash()
        self.assertEqual(self.seat("A-1-1"), "HELD")
        self.assert_consistent(c, c.pay(hold), "A-1-1", "CONFIRMED")

    def test_before_the_authorisation(self):
        c, reservation = self.pay_slowly("A-2-1")
        self.crash()
        self.provider.behave()
        self.assert_consistent(c, reservation, "A-2-1", "CONFIRMED")

    def test_authorised_but_not_heard_of(self):
        c, reservation = self.pay_slowly("A-3-1")
        self.reach(reservation, "AUTHORISED")
        self.crash()
        self.assert_consistent(c, reservation, "A-3-1", "CONFIRMED")

    def test_captured_but_not_heard_of(self):
        c, reservation = self.pay_slowly("A-4-1")
        self.reach(reservation, "CAPTURED")
        self.crash()
        self.assert_consistent(c, reservation, "A-4-1", "CONFIRMED")

    def test_after_the_confirmation(self):
        c = self.customer()
        reservation = c.pay(c.hold("A-5-1"))
        c.await_state(reservation, "CONFIRMED")
        self.crash()
        self.assert_consistent(c, reservation, "A-5-1", "CONFIRMED")

    def test_before_and_after_the_refund(self):
        for n, heard in enumerate((False, True), 1):
            with self.subTest(refunded=heard):
                c = self.customer()
                reservation = c.pay(c.hold(f"A-6-{n}"))
                c.await_state(reservation, "CONFIRMED")
                self.provider.control(delayMs=1200)
                answer = c.http.delete(f"/api/v1/reservations/{reservation}", c.token)
                self.assertEqual(answer.status, 202)
                if heard:
                    self.reach(reservation, "REFUNDED")
                self.crash()
                self.provider.behave()
                self.assert_consistent(c, reservation, f"A-6-{n}", "REFUNDED")

    def test_while_the_authorisation_is_voided(self):
        c = self.customer()
        hold = c.hold("A-7-1")
        reservation = c.pay(hold, "4000000000000341")  # authorised, declined at capture: to be voided
        c.await_state(reservation, "FAILED")
        self.crash()
        self.assert_consistent(c, reservation, "A-7-1", "FAILED")

    def test_declined_but_not_heard_of(self):
        c, reservation = self.pay_slowly("A-8-1", "4000000000009995")
        self.reach(reservation, "DECLINED")
        self.crash()
        self.assert_consistent(c, reservation, "A-8-1", "FAILED")

    def test_both_at_once(self):
        c, reservation = self.pay_slowly("A-9-1")
        self.reach(reservation, "AUTHORISED")
        self.crash(also_provider=True)
        self.assert_consistent(c, reservation, "A-9-1")

    def test_again_and_again(self):
        c, reservation = self.pay_slowly("A-10-1")
        for _ in range(4):
            self.crash()
        self.provider.behave()
        self.assert_consistent(c, reservation, "A-10-1", "CONFIRMED")
        self.assert_adds_up(self.node, "show")


if __name__ == "__main__":
    main()
