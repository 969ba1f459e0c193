"""A majority is lost for good: one survivor goes on with what it has, and says what is gone."""
import re
import subprocess

from cluster import PARTITIONS, ClusterCase
from harness import PROGRAMS, Customer, definition, main, wait_for


def recover(node, cluster, *more):
    return subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "recover", *more, "--data", str(node.data), cluster],
                          capture_output=True, text=True, timeout=60)


class MajorityLost(ClusterCase):
    def test_a_survivor_goes_on_with_what_it_has(self):
        self.cluster.put_event(definition("show", rows=2, seats=10))
        buyer = Customer(self.cluster[1], "show").enter()
        buyer.buy("A-1-1")
        survivor = self.cluster[3]
        wait_for(lambda: survivor.client().get("/api/v1/events/show/availability").json["blocks"][0]["confirmed"] == 1, 10,
                 "the survivor has the sale")
        self.cluster.await_equal_states()
        id = self.cluster.describe()["clusterId"]
        for number in (1, 2, 3):
            self.cluster[number].kill()

        told = recover(survivor, id)
        self.assertEqual(told.returncode, 2, told)
        self.assertIn("--unsafe", told.stderr)
        told = recover(survivor, "some-other", "--unsafe")
        self.assertEqual(told.returncode, 1, told)
        self.assertIn("nothing was changed", told.stderr)
        told = recover(survivor, id, "--unsafe")
        self.assertEqual(told.returncode, 0, told)
        self.assertIn("it is the whole cluster now", told.stderr)
        survivor.start()
        wait_for(lambda: survivor.admin("GET", "/cluster")["epoch"] == 2, 20, "it is founded anew")
        told = [(a["what"], a["detail"]) for a in survivor.admin("GET", "/cluster/audit")["records"]]
        self.assertTrue(any("without a majority" in what and "epoch 2" in detail for what, detail in told), told)
        self.assertTrue(survivor.verify("show")["ok"])
        self.assertEqual(survivor.verify("show")["confirmed"], 1)
        again = Customer(survivor, "show").enter()
        self.assertEqual(again.try_hold({"seats": ["A-1-1"]}).status, 409)
        again.buy("A-1-2")


class PartitionsLost(ClusterCase):
    """Five nodes hold three copies of each partition: a survivor has some of them."""

    SIZE = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cluster = cls.cluster
        for _ in range(4):
            cls.programs.append(cluster.add())
        cluster.replicate(3)
        cluster.await_replicated(3)
        held = {node: {p["id"] for p in cluster.describe()["partitions"] if node.id in p["voters"]} for node in cluster.nodes}
        cls.survivor = next(n for n in cluster.nodes[1:] if 0 in held[n] and 1 < len(held[n]) < PARTITIONS)
        cls.bystander = next(n for n in cluster.nodes if 0 not in held[n])  # the first node, perhaps: it had all of them once
        cls.held_by_first = held[cluster[1]]
        cls.lost = set(range(PARTITIONS)) - held[cls.survivor]
        cls.kept = held[cls.survivor] - {0}
        cls.stays, cls.gone = cls.event_in(cls.kept), cls.event_in(cls.lost)
        cls.came, cls.went = cls.event_in(cls.lost), cls.event_in(cls.kept)
        for event in (cls.stays, cls.gone, cls.came, cls.went):
            Customer(cls.survivor, event).enter().buy("A-1-1")
        cls.move(cls.came, min(cls.kept))
        cls.move(cls.went, min(cls.lost))
        wait_for(lambda: all(cls.survivor.stats(e)["confirmed"] == 1 for e in (cls.stays, cls.came)), 10, "the survivor has the sales")
        cls.id = cluster.describe()["clusterId"]
        for node in cluster.nodes:
            node.kill()
        cls.refused = recover(cls.bystander, cls.id, "--unsafe")
        cls.told = recover(cls.survivor, cls.id, "--unsafe")
        cls.survivor.start()
        wait_for(lambda: cls.survivor.admin("GET", "/cluster")["epoch"] == 2, 20, "it is founded anew")

    @classmethod
    def event_in(cls, partitions):
        """A new one, in one of these."""
        while True:
            event = f"show-{len(cls.cluster.homes)}"
            cls.cluster.put_event(definition(event, rows=2, seats=10))
            if cls.cluster.homes[event] in partitions:
                return event

    @classmethod
    def move(cls, event, partition):
        done = cls.survivor.ctl("cluster", "move", event, str(partition), "--wait", "30")
        assert done.returncode == 0, done.stderr

    def listed(self):
        """Names by event."""
        return {e["id"]: e["name"] for e in self.survivor.client().get("/api/v1/events").json["events"]}

    def rename(self, event):
        self.survivor.put_event(definition(event, rows=2, seats=10, name="Second night"))
        wait_for(lambda: self.listed().get(event) == "Second night", 10, lambda: f"the list knows the new name of {event}; {self.listed()}")

    def places(self):
        told = self.survivor.ctl("cluster", "where")
        self.assertEqual(told.returncode, 0, told.stderr)
        return {line.split()[0]: line.split()[1:] for line in told.stdout.splitlines()[1:]}

    def test_who_has_no_catalogue_is_told_so_before_anything_changes(self):
        self.assertEqual(self.refused.returncode, 1, self.refused)
        self.assertIn("nothing was changed", self.refused.stderr)
        self.assertIn("partition 0", self.refused.stderr)

    def test_a_replica_of_before_it_was_moved_away_is_not_taken_for_a_present_one(self):
        """The first node held all partitions once. What was moved away it keeps for some seconds."""
        first = self.cluster[1]
        told = self.refused if self.bystander is first else recover(first, self.id, "--unsafe")
        if 0 not in self.held_by_first:
            return self.assertIn("no member of partition 0", told.stderr)
        listed = lambda word: {int(p) for p in re.findall(r"\d+", (re.findall(word + r"[^.]*partitions ([\d, ]+)", told.stderr) or [""])[0])}
        self.assertEqual(listed("OLD") | listed("LOST"), set(range(PARTITIONS)) - self.held_by_first, told.stderr)
        self.assertEqual(listed("LOST"), {int(p) for p in re.findall(r"partition.vacated partition=(\d+)", first.log_text())})

    def test_it_says_what_is_lost(self):
        self.assertEqual(self.told.returncode, 0, self.told)
        self.assertRegex(self.told.stderr, "LOST.*: partitions " + ", ".join(map(str, sorted(self.lost))))

    def test_what_it_had_is_sold_on_and_the_list_hears_of_it(self):
        for event in (self.stays, self.came):
            again = Customer(self.survivor, event).enter()
            self.assertEqual(again.try_hold({"seats": ["A-1-1"]}).status, 409, event)
            again.buy("A-1-2")
            self.rename(event)

    def test_what_was_elsewhere_begins_again(self):
        for event in (self.gone, self.went):
            self.assertNotIn(event, self.listed())
            self.assertEqual(self.survivor.client().get(f"/api/v1/events/{event}").status, 404)
            self.survivor.put_event(definition(event, rows=2, seats=10))
            Customer(self.survivor, event).enter().buy("A-1-1")
            self.rename(event)

    def test_an_event_that_moved_is_where_it_came_to(self):
        self.assertEqual(self.places()[self.came], [str(min(self.kept)), self.survivor.title, "-"])


if __name__ == "__main__":
    main()
