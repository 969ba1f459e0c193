"""A backup of a live cluster, and a new cluster from it: everything acknowledged before is there, tokens of before are not
good any more, and a damaged backup is refused before anything is used of it."""
import json
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from cluster import ClusterCase
from cluster_load_test import SHOW, Guest, Load, Stroller
from harness import Customer, PROGRAMS, Node, definition, main, wait_for
from shopper import History


def restored(case, backup, name, provider_port, *options):
    """The first node of a cluster that begins from `backup`."""
    node = Node(case.make_folder(name), provider_port, "--restore", str(backup), *options)
    case.programs.append(node)
    node.launch("--data", node.data, "--listen", f"{node.host}:{node.port}", "--payment-provider",
                f"127.0.0.1:{provider_port}", *node.options)
    return node


class Backup(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=5, seats=20, area=300))
        cls.sold = []
        for n in range(6):
            customer = Customer(cls.cluster[1 + n % 3], "show").enter()
            cls.sold.append((customer, customer.buy(f"A-1-{n + 1}")["reservationId"]))
        waiting = Customer(cls.cluster[2], "show")
        waiting.join()
        cls.waiting = waiting
        node = cls.cluster[2]
        cls.seal = node.verify("show")["seal"]
        told = node.ctl("--json", "backup", "create")
        assert told.returncode == 0, told.stderr
        cls.manifest = json.loads(told.stdout)
        cls.backup = node.data / "backups" / cls.manifest["id"]

    def test_the_manifest_names_every_partition_with_index_and_checksum(self):
        listed = self.cluster[2].admin("GET", "/backups")["backups"]
        self.assertEqual([b["id"] for b in listed], [self.manifest["id"]])
        self.assertEqual([p["id"] for p in self.manifest["partitions"]], list(range(4)))
        for p in self.manifest["partitions"]:
            self.assertGreater(p["index"], 0)
            self.assertEqual(len(p["sha256"]), 64)
            self.assertEqual((self.backup / p["file"]).stat().st_size, p["bytes"])

    def test_what_was_sold_is_sold_in_the_restored_cluster(self):
        node = restored(type(self), self.backup, "again", self.provider.port, "--name", "again")
        node.wait_ready()
        verdict = node.verify("show")
        self.assertTrue(verdict["ok"], verdict)
        self.assertEqual(verdict["confirmed"], len(self.sold))
        self.assertTrue(node.admin("GET", f"/events/show/verify?seal={self.seal}")["sealHolds"])
        told = node.admin("GET", "/cluster")
        self.assertNotEqual(told["clusterId"], self.cluster.describe()["clusterId"])
        self.assertEqual(told["epoch"], self.cluster.describe()["epoch"] + 1)
        self.assertEqual([n["name"] for n in told["nodes"]], ["again"])
        # A token of before is of another cluster.
        customer, reservation = self.sold[0]
        answer = node.client().get(f"/api/v1/reservations/{reservation}", customer.admission)
        self.assertEqual(answer.status, 401, answer)
        # The same user has the same place, and the sale goes on; sold seats stay sold.
        again = Customer(node, "show", self.waiting.user)
        self.assertEqual(again.join()["ticketNumber"], len(self.sold) + 1)
        newcomer = Customer(node, "show").enter()
        self.assertEqual(newcomer.try_hold({"seats": ["A-1-1"]}).status, 409)
        newcomer.buy("A-2-1")

    def test_it_grows_to_three_again(self):
        again = self.make_cluster("thrice", 3, start=False)
        first = again[1]
        before, first.options = first.options, (*first.options, "--restore", str(self.backup))
        again.found()
        first.options = before
        for node in again.nodes[1:]:
            again.let_in(node)
        again.replicate(3)
        again.await_replicated()
        first.kill()
        newcomer = Customer(again[3], "show").enter()
        self.assertEqual(newcomer.try_hold({"seats": ["A-1-1"]}).status, 409)
        newcomer.buy("A-3-1")
        first.start()
        verdict = again[2].verify("show")
        self.assertEqual((verdict["ok"], verdict["confirmed"]), (True, len(self.sold) + 1), verdict)
        again.await_equal_states()

    def test_a_restore_cut_short_is_begun_again(self):
        """Killed at each of its syncs, one after the other, into the same folder."""
        killer = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]
        if not shutil.which("strace") or subprocess.run([*killer, "true"], capture_output=True).returncode != 0:
            self.skipTest("strace can not watch a process here")
        node = Node(self.make_folder("often"), self.provider.port, "--name", "often")
        self.programs.append(node)
        for sync in range(1, 200):
            if sync == 12:  # nobody takes half of it for a node
                node.prefix, node.options = [], ("--name", "often")
                node.start(wait=False)
                wait_for(lambda: not node.running, 20, "the node gives up")
                self.assertIn("was cut short", node.log_text())
            node.prefix = [*killer, "-e", f"inject=fsync,fdatasync:signal=KILL:when={sync}"]
            node.options = ("--name", "often", "--restore", str(self.backup))
            node.start(wait=False)
            wait_for(lambda: not node.running or "node.ready" in node.log_text(), 30, "it is killed, or done", 0.01)
            if "node.ready" in node.log_text():
                break
        node.kill()
        self.assertGreater(sync, 12)
        self.assertFalse((node.data / "restoring").exists())
        node.prefix, node.options = [], ("--name", "often")
        node.start()
        verdict = node.verify("show")
        self.assertEqual((verdict["ok"], verdict["confirmed"]), (True, len(self.sold)), verdict)

    def test_what_is_no_backup_is_passed_over(self):
        node = self.cluster[3]
        folder = node.data / "backups"
        (folder / "notes").mkdir(parents=True)
        (folder / "loop").symlink_to("loop")
        (folder / "broken").mkdir()
        (folder / "broken" / "manifest.json").write_text("{")
        self.assertEqual(node.admin("GET", "/backups")["backups"], [])
        self.assertTrue(node.is_ready())

    def test_a_damaged_backup_is_refused_whole(self):
        damaged = self.folder / "damaged"
        shutil.copytree(self.backup, damaged)
        victim = damaged / self.manifest["partitions"][1]["file"]
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        node = restored(type(self), damaged, "refused", self.provider.port)
        wait_for(lambda: not node.running, 20, "the node gives up")
        self.assertIn("is damaged", node.log_text())
        self.assertIn(victim.name, node.log_text())

    def test_a_folder_in_use_takes_no_backup(self):
        told = subprocess.run([str(PROGRAMS / "sluicectl"), "backup", "restore", "--from", str(self.backup), "--data",
                               str(self.cluster[1].data)], capture_output=True, text=True)
        self.assertEqual(told.returncode, 1, told)
        self.assertIn("is not empty", told.stderr)


class Loaded(ClusterCase):
    """While people buy, and while leaders die: what was sold before it began is in it, and it adds up."""

    OPTIONS = ("--checkpoint-log-mib", "1", "--active-sessions-max", "20")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(SHOW)
        cls.history = History()
        cls.backups = []  # (folder, holds sold before it was asked for, highest ticket then)
        load = Load(cls.cluster.nodes, cls.history, [Guest] * 6 + [Stroller] * 2)
        with load:
            wait_for(lambda: len(cls.sold_now()) > 5, 30, "some is sold")
            cls.back_up()
            cls.cluster.make_lead(cls.cluster[2], cls.cluster.homes["show"])
            with ThreadPoolExecutor() as pool:
                blow = pool.submit(cls.kill_in_the_middle, cls.cluster[2])
                cls.back_up()
                done = time.monotonic()
                cls.killed_before_the_end = done - blow.result()
            cls.cluster.await_replicated()
            cls.back_up()
        load.check()

    @classmethod
    def kill_in_the_middle(cls, node):
        """When its partition begins to be copied. Says when that was."""
        folder = cls.cluster[1].data / "backups"
        wait_for(lambda: any(folder.glob(f"*.partial/p-{cls.cluster.homes['show']}.parts")), 30, "it is being copied", 0.001)
        node.kill()
        killed = time.monotonic()
        time.sleep(1)
        node.start()
        return killed

    @classmethod
    def sold_now(cls):
        with cls.history.lock:
            return [h for h in cls.history.holds.values() if h.get("free_from") == float("inf")]

    @classmethod
    def back_up(cls):
        sold = cls.sold_now()
        with cls.history.lock:
            tickets = [o["answer"]["ticketNumber"] for o in cls.history.of("join")]
        told = cls.cluster[1].ctl("--json", "backup", "create")
        assert told.returncode == 0, told.stderr
        cls.backups.append((cls.cluster[1].data / "backups" / json.loads(told.stdout)["id"], sold, max(tickets)))

    def test_each_is_whole(self):
        self.assertEqual(len(self.backups), 3)
        self.assertGreater(self.killed_before_the_end, 0)
        self.assertGreater(len(self.backups[2][1]), len(self.backups[0][1]))
        for n, (folder, sold, last) in enumerate(self.backups):
            with self.subTest(n):
                node = restored(type(self), folder, f"again{n}", self.provider.port, "--name", f"again{n}")
                node.wait_ready()
                told = node.verify("show")
                self.assertTrue(told["ok"], told)
                self.assertGreaterEqual(node.stats("show")["lastTicket"], last)
                states = {s["id"]: s["status"] for s in node.client().get("/api/v1/events/show/blocks/A").json["seats"]}
                for hold in sold:
                    self.assertEqual({states[s] for s in hold["seats"]} - {"CONFIRMED"}, set(), hold)
                Customer(node, "show").join()
                node.kill()


class Together(ClusterCase):
    """Two nodes that back up at the same time, of a line so long that each reads a partition in many parts."""

    def test_they_do_not_disturb_each_other(self):
        self.cluster.put_event(definition("show", admission={"maxActiveUsers": 1}))
        crowd = self.cluster[1].bench("join", "-s", 5, "--warm-up", 0, "-c", 256)
        told, complaint = crowd.communicate()
        self.assertEqual(crowd.returncode, 0, told[-500:] + complaint)
        makers = [self.cluster[1], self.cluster[3]]
        with ThreadPoolExecutor(len(makers)) as pool:
            for _ in range(4):
                made = list(pool.map(lambda n: n.ctl("--json", "backup", "create"), makers))
                self.assertEqual([(m.returncode, m.stderr) for m in made], [(0, "")] * 2)
        for node in makers:
            made = node.admin("GET", "/backups")["backups"]
            self.assertEqual(len(made), 4)
            self.assertGreater(max(p["bytes"] for p in made[0]["partitions"]), 1 << 18)
            self.assertNotIn("went while it was read", node.log_text())  # none lost what it read to the other


if __name__ == "__main__":
    main()
