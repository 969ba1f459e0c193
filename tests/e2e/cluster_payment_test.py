"""Payments and deadlines across a change of leader: whoever leads next finishes what was begun, once, and in time."""
import time

import payment_crash_test
from cluster import Cluster
from harness import Customer, definition, main, wait_for

# Approved; declined; declined at capture; takes effect and answers 500; takes effect and cuts the connection; fails once.
CARDS = ("4242424242424242", "4000000000009995", "4000000000000341", "4000000000000135", "4000000000000168",
         "4000000000000143")


class Failover(payment_crash_test.Phases):
    """The phases of a payment, with the event's leader killed in each: customers ask a bridge, which lives."""

    PAUSE = False

    @classmethod
    def start_node(cls):
        cls.cluster = Cluster(cls.make_folder("cluster"), cls.provider)
        cls.programs += cls.cluster.nodes
        cls.cluster.start()
        bridge = cls.cluster.add("--role", "bridge")
        cls.programs.append(bridge)
        cls.down = None
        return bridge

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for event in ("show", "short"):
            cls.cluster.put_event(cls.node.admin("GET", f"/events/{event}"))
        cls.kills = 0

    def setUp(self):
        super().setUp()
        self.bring_back()

    def tearDown(self):
        self.bring_back()

    @classmethod
    def bring_back(cls):
        if cls.down:
            cls.down.start() if not cls.down.running else cls.down.resume()
            cls.down = None
        for node in cls.cluster.nodes:
            node.wait_ready()
        cls.cluster.await_replicated(3)

    def crash(self, also_provider=False):
        """The leader is gone; the one before it is back."""
        self.bring_back()
        leader = self.cluster.leader_of_event("show", by=self.node)
        leader.pause() if self.PAUSE else leader.kill()
        if also_provider:
            self.provider.kill()
            time.sleep(0.5)
            self.provider.start()
        type(self).down = leader
        type(self).kills += 1

    def test_holds_lapse_in_time(self):
        self.cluster.put_event(definition("brief", rows=3, holdTtlSeconds=5, keepActiveAfterBooking=True))
        c = Customer(self.node, "brief").enter()
        began = time.monotonic()
        c.hold("A-1-1", "A-1-2")
        time.sleep(1)
        leader = self.cluster.leader_of_event("brief", by=self.node)
        leader.kill()
        type(self).down = leader
        wait_for(lambda: self.seat("A-1-1", "brief") == "AVAILABLE", 20, "the hold lapses")
        took = time.monotonic() - began
        self.assertGreater(took, 4.9)
        self.assertLess(took, 5 + 3)
        other = Customer(self.node, "brief").enter()
        other.hold("A-1-1")

    def test_turns_that_are_not_claimed_pass_on(self):
        self.cluster.put_event(definition("narrow", rows=1, admission={"maxActiveUsers": 1, "claimWindowSeconds": 10}))
        inside = Customer(self.node, "narrow").enter()
        line = [Customer(self.node, "narrow") for _ in range(2)]
        for c in line:
            c.join()
        inside.http.post(inside.base + "/queue/complete", {}, inside.token)
        began = time.monotonic()
        leader = self.cluster.leader_of_event("narrow", by=self.node)
        leader.kill()
        type(self).down = leader
        line[1].claim(seconds=20)  # the one in front does not claim
        self.assertGreater(time.monotonic() - began, 9)

    def test_nothing_is_left_hanging(self):
        """Many payments at once, and one leader after the other dies."""
        begun = []
        for n in range(1, 21):
            c = self.customer()
            begun.append((c, c.pay(c.hold(f"A-20-{n}"), CARDS[n % len(CARDS)]), f"A-20-{n}"))
            if n % 5 == 0:
                self.crash()
        self.bring_back()
        for c, reservation, seat in begun:
            self.assert_consistent(c, reservation, seat)
        self.assertEqual(self.provider.totals()["doubleCaptures"], 0)
        for node in self.cluster.nodes:
            self.assert_adds_up(node, "show")
        self.cluster.await_equal_states()
        left = lambda: [p["openEffects"] for p in self.node.describe()["partitions"]]
        wait_for(lambda: not any(left()), 60, lambda: f"no charge stays open; {left()}", 0.5)


class Standstill(Failover):
    """Likewise, with a leader that stands still and comes back thinking that it leads."""

    PAUSE = True


if __name__ == "__main__":
    main()
