"""A loaded cluster of the program before this one becomes one of this program, node by node, and nobody notices. What only the
new one understands is refused until all run it and an operator says so; from then on the old one is turned away."""
import time

from cluster import ClusterCase
from cluster_load_test import SHOW, Guest, Load, Stroller
from harness import Customer, main, wait_for
from history_checks import HistoryChecks
from programs import PROGRAMS
from shopper import History

OLD = PROGRAMS / "level-1"


class Upgrade(HistoryChecks, ClusterCase):
    """One story; afterwards each test looks at one side of it."""

    OPTIONS = ("--checkpoint-log-mib", "1", "--active-sessions-max", "20")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.levels = [cls.levels_now()]
        cls.cluster.put_event(SHOW)
        cls.history = History()
        cls.told = {}
        load = Load(cls.cluster.nodes, cls.history, [Guest] * 4 + [Stroller] * 2)
        with load:
            time.sleep(1)
            cls.before = time.monotonic()
            cls.run_as(cls.cluster[1], PROGRAMS)
            cls.run_as(cls.cluster[1], OLD)  # an operator who thinks better of it
            for node in cls.cluster.nodes:
                cls.upgrade(node)
            cls.after = time.monotonic()
            cls.tell("activate early level 4", "activate-feature", 4)
            cls.tell("move before level 3", "move", "show", 1)
            cls.tell("activate", "activate-feature", 3)
            wait_for(lambda: all(n.describe()["featureLevel"] == 3 for n in cls.cluster.nodes), 10, "everybody knows")
            # What a node said of itself before it was restarted is shown until it speaks again.
            wait_for(lambda: cls.levels_now()[1] == [3, 3, 3], 10, lambda: f"everybody runs the new one; {cls.levels_now()}")
            cls.levels.append(cls.levels_now())
            time.sleep(1)
        load.check()
        cls.cluster.any().act("show", "drain")
        cls.node = cls.cluster[1]

    @classmethod
    def make_cluster(cls, *arguments, **options):
        made = super().make_cluster(*arguments, start=False, **options)
        for node in made.nodes:
            node.build = OLD
        made.start()
        return made

    @classmethod
    def levels_now(cls):
        told = cls.cluster.describe()
        return told["featureLevel"], [n.get("featureLevel") for n in told["nodes"]]

    @classmethod
    def tell(cls, what, *arguments):
        done = cls.cluster.any().ctl("cluster", *map(str, arguments))
        cls.told[what] = (done.returncode, done.stderr)

    @classmethod
    def run_as(cls, node, build):
        assert node.stop() == 0, f"{node.title}: {node.log_text()[-800:]}"
        node.build = build
        node.start()
        cls.cluster.await_replicated()

    @classmethod
    def upgrade(cls, node):
        cls.run_as(node, PROGRAMS)
        client = node.client(node.key)
        if node is not cls.cluster.nodes[-1]:
            cls.tell(f"activate with {node.number} of 3", "activate-feature", 3)
        cls.told[f"drain with {node.number} of 3"] = client.post("/admin/v1/events/show/actions/drain", {})

    def test_the_old_program_is_another(self):
        self.assertEqual(self.levels[0], (1, [1, 1, 1]))
        self.assertEqual(self.levels[1], (3, [3, 3, 3]))

    def test_no_request_failed(self):
        counts = {name: len(self.history.of(name)) for name in ("join", "claim", "hold", "pay")}
        self.assertTrue(all(n >= 10 for n in counts.values()), counts)
        self.assertEqual([f for f in self.history.failures if self.before <= f[0] <= self.after], [])

    def test_what_is_new_waits_for_the_last_node(self):
        for upgraded in (1, 2):
            code, said = self.told[f"activate with {upgraded} of 3"]
            self.assertEqual(code, 1, said)
            self.assertIn("VERSION_TOO_OLD", said)
        for upgraded in (1, 2, 3):
            answer = self.told[f"drain with {upgraded} of 3"]
            self.assert_problem(answer, 409, "ACTION_NOT_ALLOWED")
            self.assertIn("activate-feature 2", answer.json["detail"])
        self.assertIn("VERSION_TOO_OLD", self.told["activate early level 4"][1])
        self.assertIn("activate-feature 3", self.told["move before level 3"][1])
        self.assertEqual(self.told["activate"][0], 0, self.told["activate"])

    def test_from_then_on_it_works_everywhere(self):
        for node in self.cluster.nodes:
            wait_for(lambda: node.client().get("/api/v1/events/show/status").json["phase"] in ("DRAINING", "SOLD_OUT"), 10,
                     f"{node.title} says that it drains")
            late = Customer(node, "show", f"late-{node.number}")
            self.assert_problem(late.http.post(late.base + "/queue", {"userId": late.user}), 409, "EVENT_CLOSED")

    def test_the_old_program_is_turned_away(self):
        node = self.cluster[3]
        self.assertEqual(node.stop(), 0)
        node.build = OLD
        try:
            node.start(wait=False)
            wait_for(lambda: not node.running, 20, "it ends")
            self.assertEqual(node.process.returncode, 1)
            self.assertIn("feature level 3", node.log_text()[-600:])
        finally:
            node.kill()
            node.build = PROGRAMS
            node.start()
            self.cluster.await_replicated()

    def test_all_replicas_are_equal(self):
        self.cluster.await_equal_states()

    def test_every_node_proves_the_sale(self):
        for node in self.cluster.nodes:
            self.assert_adds_up(node, "show")


if __name__ == "__main__":
    main()
