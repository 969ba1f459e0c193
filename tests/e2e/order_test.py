"""Fairness from outside: who came first goes first, never more than the outflow and the cap allow, and time runs out for
those who do not come."""
import datetime
import threading
import time

from harness import Case, Customer, definition, main, wait_for

WINDOW = 600  # seconds to claim in: long enough that nobody's turn is missed by accident


def ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class OrderCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()

    def event(self, name=None, **admission):
        name = name or self.id().rsplit(".", 1)[1].replace("_", "-")[:60]
        self.node.put_event(definition(name, rows=10, seats=50, area=1000,
                                       admission={"claimWindowSeconds": WINDOW, "maxActiveUsers": 1_000_000, **admission}))
        return name

    def join(self, http, event, user):
        answer = http.post(f"/api/v1/events/{event}/queue", {"userId": user})
        self.assertIn(answer.status, (200, 202), answer)
        return answer.json

    def admitted_at(self, http, event, token):
        """When the log let the ticket through, in ms: its turn lapses one claim window later."""
        told = http.get(f"/api/v1/events/{event}/queue", token).json
        self.assertEqual(told["state"], "ADMITTED", told)
        return ms(told["claimBefore"]) - WINDOW * 1000

    def state(self, customer):
        return customer.http.get(customer.base + "/queue", customer.token).json["state"]

    def await_state(self, customer, state, seconds=10):
        wait_for(lambda: self.state(customer) == state, seconds, f"{customer.user} is {state}")


class Order(OrderCase):
    def test_two_thousand_in_the_order_they_came(self):
        rate, batch = 24_000, 40  # 400 a second, at most 40 at once
        event = self.event(usersPerMinute=rate, batchMs=100)
        self.node.act(event, "pause")
        http = self.node.client()
        joined = [self.join(http, event, f"u{n}") for n in range(2000)]
        self.assertEqual([j["ticketNumber"] for j in joined], list(range(1, 2001)))
        self.assertEqual([j["position"] for j in joined], list(range(1, 2001)))
        self.node.act(event, "resume")
        began = time.monotonic()
        wait_for(lambda: self.node.stats(event)["waitingUsers"] == 0, 60, "all are through")
        self.assertLess(time.monotonic() - began, 15)  # 5 s by the rate
        times = [self.admitted_at(http, event, j["token"]) for j in joined]
        self.assert_ascending(times)
        self.assert_outflow(times, rate, batch)
        told = self.assert_adds_up(self.node, event)
        self.assertEqual((told["joined"], told["admitted"]), (2000, 2000))

    def assert_ascending(self, times, clock=3):
        for n, (a, b) in enumerate(zip(times, times[1:])):
            self.assertLessEqual(a, b + clock, f"ticket {n + 2} before ticket {n + 1}")

    def assert_outflow(self, times, rate, batch, clock=3):
        """No window of any length lets more through than rate × length + one batch. `clock`: rounding of times, in ms."""
        most = float("-inf")
        for n, t in enumerate(sorted(times)):
            most = max(most, rate * t / 60_000 - n)
            self.assertLessEqual(n + 1 - rate * (t + clock) / 60_000 + most, batch + 1, f"too many until {t}")

    def test_order_holds_while_people_come_and_go_through(self):
        event = self.event(usersPerMinute=12_000)
        tokens, lock = [], threading.Lock()

        def crowd(number):
            http, before = self.node.client(), 0
            for n in range(150):
                told = self.join(http, event, f"u{number}-{n}")
                assert told["ticketNumber"] > before  # one after the other on one connection
                before = told["ticketNumber"]
                with lock:
                    tokens.append((before, told["token"]))

        threads = [threading.Thread(target=crowd, args=(n,)) for n in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(t for t, _ in tokens), list(range(1, 901)))
        wait_for(lambda: self.node.stats(event)["waitingUsers"] == 0, 60, "all are through")
        http = self.node.client()
        times = [self.admitted_at(http, event, token) for _, token in sorted(tokens)]
        self.assert_ascending(times)
        self.assert_outflow(times, 12_000, 20)

    def test_positions_are_exact_whoever_leaves(self):
        event = self.event(maxActiveUsers=1)
        http = self.node.client()
        self.join(http, event, "inside")
        line = [self.join(http, event, f"u{n}") for n in range(60)]
        gone = set(range(0, 60, 3)) | {1, 2, 58}
        path = f"/api/v1/events/{event}/queue"
        for n in gone:
            self.assertEqual(http.delete(path, line[n]["token"]).status, 204)
        live = [n for n in range(60) if n not in gone]
        wait_for(lambda: self.node.client().get(f"/api/v1/events/{event}/status").json["waitingUsers"] == len(live), 10)
        for place, n in enumerate(live, 1):
            told = http.get(path, line[n]["token"]).json
            self.assertEqual((told["position"], told["usersAhead"], told["waitingUsers"]), (place, place - 1, len(live)))
        again = self.join(http, event, "u0")  # who left comes back at the end
        self.assertEqual((again["ticketNumber"], again["position"]), (62, len(live) + 1))

    def test_a_new_rate_holds_at_once(self):
        event = self.event(usersPerMinute=60, batchMs=100)
        http = self.node.client()
        for n in range(50):
            self.join(http, event, f"u{n}")
        self.assertGreater(self.node.stats(event)["waitingUsers"], 40)
        self.node.set_admission(event, usersPerMinute=60_000)
        wait_for(lambda: self.node.stats(event)["waitingUsers"] == 0, 5, "the line empties")

    def test_a_pause_lets_nobody_through(self):
        event = self.event(usersPerMinute=6_000)
        self.node.act(event, "pause")
        http = self.node.client()
        for n in range(20):
            self.join(http, event, f"u{n}")
        time.sleep(1)  # time in which a hundred could have passed
        self.assertEqual(self.node.stats(event)["admittedTotal"], 0)
        self.node.act(event, "resume")
        wait_for(lambda: self.node.stats(event)["admittedTotal"] == 20, 5)


class Cap(OrderCase):
    def test_never_more_inside_than_allowed(self):
        event = self.event(maxActiveUsers=5, usersPerMinute=600_000)
        highest, over = 0, threading.Event()

        def guest(number):
            for n in range(25):
                c = Customer(self.node, event, f"u{number}-{n}")
                c.join()
                c.claim(60)
                c.http.post(c.base + "/queue/complete", {}, c.token)

        threads = [threading.Thread(target=guest, args=(n,)) for n in range(10)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            stats = self.node.stats(event)
            highest = max(highest, stats["activeUsers"])
        self.assertEqual(highest, 5)
        self.assertEqual(self.node.stats(event)["completedTotal"], 250)
        self.assert_adds_up(self.node, event)

    def freed_by(self, free, **admission):
        """Whatever frees the one slot, the next in line is let in at once."""
        event = self.event(maxActiveUsers=1, **admission)
        inside, after, last = (Customer(self.node, event, u) for u in ("inside", "after", "last"))
        for c in (inside, after, last):
            c.join()
        self.assertEqual([self.state(c) for c in (inside, after, last)], ["ADMITTED", "WAITING", "WAITING"])
        free(inside)
        self.await_state(after, "ADMITTED")
        self.assertEqual(self.state(last), "WAITING")
        return inside

    def test_leaving_frees_a_slot(self):
        self.freed_by(lambda c: c.http.delete(c.base + "/queue", c.token))

    def test_completing_frees_a_slot(self):
        self.freed_by(lambda c: (c.claim(), c.http.post(c.base + "/queue/complete", {}, c.token)))

    def test_a_booking_frees_a_slot(self):
        self.freed_by(lambda c: (c.claim(), c.buy("A-1-1")))

    def test_a_missed_turn_frees_a_slot(self):
        c = self.freed_by(lambda c: None, claimWindowSeconds=1)
        self.assertEqual(self.state(c), "EXPIRED")
        self.assert_problem(c.http.post(c.base + "/queue/admission", {}, c.token), 410, "TICKET_EXPIRED")

    def test_the_end_of_a_visit_frees_a_slot_and_the_seats(self):
        def stay(c):
            c.claim()
            c.held = c.hold("A-2-1")
        c = self.freed_by(stay, activeTtlSeconds=5)
        self.assertEqual(self.state(c), "EXPIRED")
        self.assert_problem(c.try_hold({"seats": ["A-2-2"]}), 403, "NOT_ADMITTED")
        read = lambda: {s["id"]: s["status"] for s in c.http.get(c.base + "/blocks/A").json["seats"]}["A-2-1"]
        wait_for(lambda: read() == "AVAILABLE", 5, "the seat is free again")

    def test_a_raised_cap_lets_people_in_at_once(self):
        event = self.event(maxActiveUsers=1)
        http = self.node.client()
        for n in range(10):
            self.join(http, event, f"u{n}")
        self.node.set_admission(event, maxActiveUsers=4)
        wait_for(lambda: self.node.stats(event)["activeUsers"] == 4, 5)
        self.node.set_admission(event, maxActiveUsers=2)  # nobody is sent out, nobody comes in
        http.delete(f"/api/v1/events/{event}/queue", self.join(http, event, "u0")["token"])
        self.assertEqual(self.node.stats(event)["activeUsers"], 3)


class Expiry(OrderCase):
    def test_holds_lapse(self):
        event = self.event()
        self.node.put_event(definition(event, rows=10, seats=50, area=1000, holdTtlSeconds=5,
                                       admission={"claimWindowSeconds": WINDOW}))
        c = Customer(self.node, event).enter()
        hold = c.hold("A-1-1", "A-1-2")
        read = lambda: {s["id"]: s["status"] for s in c.http.get(c.base + "/blocks/A").json["seats"]}
        self.assertEqual(read()["A-1-1"], "HELD")
        extended = c.http.post(f"{c.base}/holds/{hold}/extend", {}, c.admission).json
        self.assertLessEqual(extended["expiresInSeconds"], 5)
        wait_for(lambda: read()["A-1-1"] == read()["A-1-2"] == "AVAILABLE", 15, "the seats are free again")
        self.assert_problem(c.http.get(f"{c.base}/holds/{hold}", c.admission), 410, "HOLD_LAPSED")
        self.assert_problem(c.try_pay(hold), 410, "HOLD_LAPSED")
        self.assertEqual(Customer(self.node, event).enter().try_hold({"seats": ["A-1-1"]}).status, 201)

    def test_tickets_lapse(self):
        event = self.event(maxActiveUsers=1, waitingTtlSeconds=10)
        Customer(self.node, event, "inside").join()
        waiting = Customer(self.node, event, "waiting")
        waiting.join()
        self.await_state(waiting, "EXPIRED", 20)
        self.assertEqual(waiting.join()["state"], "WAITING")

    def test_time_goes_on_while_the_node_is_down(self):
        event = self.event(maxActiveUsers=1, claimWindowSeconds=2)
        first, second = Customer(self.node, event, "first"), Customer(self.node, event, "second")
        first.join()
        second.join()
        self.node.kill()
        time.sleep(3)
        self.node.start()
        for c in (first, second):
            c.http.close()
        self.await_state(first, "EXPIRED", 10)
        wait_for(lambda: self.state(second) in ("ADMITTED", "EXPIRED"), 10, "the second's turn comes")


if __name__ == "__main__":
    main()
