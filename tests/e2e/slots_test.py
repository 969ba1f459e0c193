"""An event changes partitions while it is sold: what was promised before holds after, whoever is asked, and its figures are
those of one sale."""
import json
import secrets
import threading
import time

from backup_test import restored
from cluster import PARTITIONS, ClusterCase
from cluster_load_test import SHOW, Guest, Load, Stroller
from harness import Customer, definition, main, wait_for
from history_checks import HistoryChecks
from shopper import History


class MoveCase(ClusterCase):
    OPTIONS = ("--checkpoint-log-mib", "1", "--active-sessions-max", "20")

    def move(self, event, partition, through=None, wait=30):
        node = through or self.cluster.any()
        done = node.ctl("cluster", "move", event, str(partition), "--wait", str(wait))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.cluster.homes[event] = partition

    def other(self, *partitions):
        return next(p for p in range(PARTITIONS) if p not in partitions)


class Moves(MoveCase):
    def setUp(self):
        self.event = "show-" + secrets.token_hex(3)
        self.cluster.put_event(definition(self.event, rows=10, seats=20, area=50, keepActiveAfterBooking=True))
        self.home = self.cluster.homes[self.event]

    def customer(self, number):
        return Customer(self.cluster[number], self.event)

    def test_what_was_promised_before_holds_after(self):
        buyer, holder, waiter = (self.customer(n) for n in (1, 2, 3))
        bought = buyer.enter().buy("A-1-1")
        hold = holder.enter().hold("A-1-2", "A-1-3")
        place = waiter.join()["ticketNumber"]
        key = secrets.token_hex(8)
        again = {"area": "floor", "quantity": 2}
        first = holder.try_hold(again, key)
        self.assertEqual(first.status, 201, first)
        before = self.cluster[1].verify(self.event)
        self.move(self.event, self.other(self.home, 0))
        entries = self.cluster[1].log_entries(self.cluster.homes[self.event])
        steps = [c["command"]["step"] for e in entries for c in e.get("commands", []) if c["to"] == "slots"]
        self.assertIn("arrives", steps)
        self.assertEqual(steps[-1], "part", steps)

        self.assertEqual(waiter.join()["ticketNumber"], place)
        self.assertEqual(holder.http.get(f"{holder.base}/holds/{hold}", holder.admission).status, 200)
        self.assertEqual(holder.try_hold(again, key).json, first.json)
        self.assertEqual(buyer.reservation(bought["reservationId"])["state"], "CONFIRMED")
        waiter.claim()
        self.assert_problem(waiter.try_hold({"seats": ["A-1-3"]}), 409, "SEAT_NOT_AVAILABLE")
        holder.await_state(holder.pay(hold), "CONFIRMED")
        self.assertEqual(buyer.http.delete(f"/api/v1/reservations/{bought['reservationId']}", buyer.token).status, 202)
        buyer.await_state(bought["reservationId"], "REFUNDED")
        waiter.buy("A-1-1")
        for node in self.cluster.nodes:
            wait_for(lambda: node.stats(self.event)["confirmed"] == 3, 5, f"{node.title} counts what is sold")
            told = node.verify(self.event)
            self.assertTrue(told["ok"], told)
            self.assertGreater(told["facts"], before["facts"])
            sealed = node.admin("GET", f"/events/{self.event}/verify?seal={before['seal']}")
            self.assertTrue(sealed["sealHolds"], sealed)  # the same past, though part of it is read elsewhere
            self.assertEqual(told["joined"], 3)

    def test_who_did_what_is_told_as_one_story(self):
        node = self.cluster[1]
        node.act(self.event, "pause")
        self.move(self.event, self.other(self.home))
        node.act(self.event, "resume")
        self.move(self.event, self.home, through=self.cluster[2])
        node.act(self.event, "close")
        for asked in self.cluster.nodes:
            records = asked.admin("GET", f"/events/{self.event}/audit")["records"]
            self.assertEqual([r["what"] for r in records], ["defined", "pause", "resume", "close"], records)
            self.assertEqual(sorted(r["index"] for r in records), [r["index"] for r in records])
        deeds = node.admin("GET", "/cluster/audit")["records"]
        self.assertEqual([d["detail"] for d in deeds if d["subject"] == self.event and d["what"] == "event moved"][0],
                         f"to partition {self.other(self.home)}")

    def test_a_payment_under_way_comes_to_its_end(self):
        self.cluster.provider.control(delayMs=2000)
        try:
            buyer = self.customer(1).enter()
            reservation = buyer.pay(buyer.hold("A-2-1"))
            self.move(self.event, self.other(self.home))
            buyer.await_state(reservation, "CONFIRMED")
        finally:
            self.cluster.provider.control(delayMs=0)
        self.assertTrue(self.cluster[2].verify(self.event)["ok"])

    def test_a_new_start_of_all_nodes_knows_where_it_is(self):
        waiter = self.customer(1)
        place = waiter.join()["ticketNumber"]
        self.move(self.event, self.other(self.home))
        for node in self.cluster.nodes:
            node.stop()
        self.cluster.restart_all()
        self.assertEqual(self.customer(2).join()["ticketNumber"], place + 1)
        self.cluster.await_equal_states()
        self.assertTrue(self.cluster[3].verify(self.event)["ok"])

    def test_a_cluster_made_from_a_backup_has_it_where_it_was(self):
        waiter = self.customer(1)
        place = waiter.join()["ticketNumber"]
        self.customer(2).enter().buy("A-3-1")
        self.move(self.event, self.other(self.home))
        source = self.cluster[2]
        told = source.ctl("--json", "backup", "create")
        self.assertEqual(told.returncode, 0, told.stderr)
        folder = source.data / "backups" / json.loads(told.stdout)["id"]
        node = restored(type(self), folder, "again-" + self.event, self.provider.port, "--name", "again")
        node.wait_ready()
        self.assertEqual(Customer(node, self.event, waiter.user).join()["ticketNumber"], place)
        # What the recount reads of before the move is in another partition's feed, which was copied as well.
        verdict = node.verify(self.event)
        self.assertEqual((verdict["ok"], verdict["confirmed"], verdict["joined"]), (True, 1, 2), verdict)
        node.ctl("cluster", "move", self.event, str(self.home), "--wait", "20")
        self.assertTrue(node.verify(self.event)["ok"])

    def test_where_it_is_already_it_stays(self):
        self.move(self.event, self.home)
        told = self.cluster[2].admin("POST", "/cluster/actions/move", {"event": self.event, "partition": self.home})
        self.assertEqual(told, {"event": self.event, "partition": self.home, "moved": True})

    def test_operators_see_where_it_is(self):
        away = self.other(self.home)
        self.move(self.event, away)
        leader = self.cluster.leader(away).title
        for node in self.cluster.nodes:  # also those that believe it to be where it was
            looked = node.ctl("inspect", "entity", "event", self.event)
            self.assertEqual(looked.returncode, 0, looked)
            self.assertIn("\"available\": 200", looked.stdout)
        for node in self.cluster.nodes:
            place = node.admin("GET", f"/events/{self.event}/place")
            self.assertEqual(place, {"event": self.event, "partition": away, "leader": leader})
        told = self.cluster[1].ctl("cluster", "where", self.event)
        self.assertEqual(told.stdout.split()[-4:], [self.event, str(away), leader, "-"], told)
        self.assert_problem(self.cluster[1].client(self.cluster[1].key).get("/admin/v1/events/nobody/place"), 404, "EVENT_UNKNOWN")


class UnderLoad(HistoryChecks, MoveCase):
    """One long sale, moved around; afterwards each test looks at one side of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(SHOW)
        cls.history = History()
        load = Load(cls.cluster.nodes, cls.history, [Guest] * 6 + [Stroller] * 2)
        cls.stood_still = []
        with load:
            for step in range(8):
                time.sleep(1)
                partition = (cls.cluster.homes["show"] + 1) % PARTITIONS
                if step in (3, 6):
                    threading.Timer(0.05, cls.cluster.leader(cls.cluster.homes["show"]).kill).start()
                began = time.monotonic()
                cls.go("show", partition)
                cls.stood_still.append(time.monotonic() - began)
                for node in cls.cluster.nodes:
                    if not node.running:
                        node.start()
        load.check()
        cls.cluster.await_replicated()
        cls.cluster.any().act("show", "drain")
        cls.node = cls.cluster[1]

    @classmethod
    def go(cls, event, partition):
        """With a leader gone it may have to be said twice."""
        for _ in range(10):
            node = wait_for(lambda: next((n for n in cls.cluster.nodes if n.running and n.is_ready()), None), 20, "a node is ready")
            if node.ctl("cluster", "move", event, str(partition), "--wait", "20").returncode == 0:
                cls.cluster.homes[event] = partition
                return
            time.sleep(0.5)
        raise AssertionError(f"{event} does not get to partition {partition}")

    def test_it_was_sold_meanwhile(self):
        print("moves took", [round(s, 2) for s in self.stood_still])
        self.assertGreater(self.cluster[1].stats("show")["confirmed"], 20)

    def test_states_are_equal(self):
        self.cluster.await_equal_states()


if __name__ == "__main__":
    main()
