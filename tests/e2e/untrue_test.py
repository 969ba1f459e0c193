"""A replica whose state is not what the log says, which no checksum tells: the voters' majority finds it out, and without one
their partition stands still."""
import secrets
import subprocess
import time

from cluster import ClusterCase
from harness import definition, main, wait_for
from programs import PROGRAMS


class Untrue(ClusterCase):
    SIZE = 3

    def setUp(self):
        self.cluster.put_event(definition("show", admission={"maxActiveUsers": 1}))
        self.home = self.cluster.homes["show"]

    def spoil(self, node, *texts):
        """While it is stopped, which leaves a checkpoint."""
        self.assertEqual(node.stop(), 0)
        done = subprocess.run([str(PROGRAMS / "spoil-state"), str(node.data), str(self.home), *texts], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        node.start()

    def join_until(self, through, condition, what, seconds=40):
        """Entries for the partition: joins, one after the other."""
        http = through.client(timeout=10)
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            for _ in range(20):
                http.post("/api/v1/events/show/queue", body={"userId": secrets.token_hex(8)})

    def index(self):
        return next(p["index"] for p in self.cluster.describe()["partitions"] if p["id"] == self.home)

    def found_out(self, victim):
        witness = self.cluster.any(but=victim)
        self.join_until(witness, lambda: not victim.running, "it is found out")
        told = victim.log_text()
        self.assertIn(f"partition={self.home} ", told)
        self.assertIn("at most voters: this replica is not to be trusted", told)
        for other in self.cluster.nodes:
            self.assertTrue(other is victim or other.running, other.log_text()[-800:])
        victim.start()
        self.assertIn("partition.forgotten", victim.log_text())
        self.cluster.await_replicated()
        self.cluster.await_equal_states()
        self.assertTrue(victim.verify("show")["ok"])

    def test_a_follower_stops_and_gets_the_others_state(self):
        victim = self.cluster.any(but=self.cluster.leader(self.home))
        self.spoil(victim)
        self.found_out(victim)

    def test_a_leader_as_well(self):
        victim = self.cluster.leader(self.home)
        self.spoil(victim)
        self.cluster.make_lead(victim, self.home)
        self.found_out(victim)

    def test_who_changes_the_past_on_a_disk_breaks_the_seal(self):
        """Neither states nor checksums tell: only who kept a seal can know, and which replica it was."""
        forger, honest, _ = self.cluster.nodes
        self.cluster.make_lead(honest, self.home)
        honest.client().post("/api/v1/events/show/queue", body={"userId": "first-come"})
        seal = honest.verify("show")["seal"]
        honest.client().post("/api/v1/events/show/queue", body={"userId": "who-came-later"})

        def asked_of(leader):
            self.cluster.await_replicated()
            self.cluster.make_lead(leader, self.home)
            return [leader.ctl(*words, "--seal", seal) for words in (("verify", "show"), ("audit", "show"))]

        for done in asked_of(forger) + asked_of(honest):
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("; the one given holds", done.stdout)
        self.spoil(forger, "first-come", "late-comer")
        self.cluster.await_replicated()
        self.cluster.make_lead(forger, self.home)
        self.assertTrue(forger.verify("show")["ok"])  # it adds up all the same
        for done in asked_of(forger):
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("the seal of show is broken", done.stderr)
        told = forger.admin("GET", f"/events/show/verify?seal={seal}")
        self.assertEqual((told["ok"], told["sealHolds"]), (False, False))
        for done in asked_of(honest):
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_two_that_differ_stand_still_until_a_third_decides(self):
        victim, other, away = self.cluster.nodes
        self.spoil(victim)
        self.cluster.await_replicated()
        # Far from the next comparison, so that the third is away when it comes.
        self.join_until(other, lambda: self.index() % 256 in range(100), "the next comparison is far")
        self.assertEqual(away.stop(), 0)
        halted = lambda node: f"partition.halted node={node.id} partition={self.home} " in node.log_text()
        self.join_until(victim, lambda: halted(victim) and halted(other), "both stand still", 60)
        self.assertEqual(victim.client().post("/api/v1/events/show/queue", body={"userId": "late"}).status, 503)
        wait_for(lambda: self.cluster.leader_id(self.home) == 0, 10, "nobody leads it")
        told = other.ctl("cluster", "status").stdout
        self.assertIn(f"partition {self.home} has no leader", told)
        self.assertIn("its voters' states differ", told)
        for p in self.cluster.describe()["partitions"]:
            self.assertTrue(p["id"] == self.home or p["leader"], "the others go on")
        away.start(wait=False)
        other.stop()
        other.start()
        wait_for(lambda: self.cluster.leader_id(self.home, other), 30, "two sound ones go on")
        victim.stop()
        victim.start(wait=False)
        self.found_out(victim)


if __name__ == "__main__":
    main()
