"""sluicectl cluster advise: what it makes of a cluster's figures, what its hook is given, and a real cluster that grows and
loses a node."""
import http.server
import json
import subprocess
import threading

from cluster import ClusterCase
from harness import PROGRAMS, Case, free_port, main, wait_for

GIB = 1 << 30


def member(id, **but):
    return {"id": id, "name": f"n{id}", "role": "MEMBER", "state": "ACTIVE", "reachable": True, "diskFreeBytes": 80 * GIB,
            "diskUsedBytes": 20 * GIB, "loadPercent": 40, **but}


def cluster(*nodes, replication=3):
    return {"clusterId": "c", "epoch": 1, "version": "1", "replication": replication, "nodes": list(nodes), "partitions": []}


class Teller(http.server.ThreadingHTTPServer):
    """What a node says of its cluster, as a test wants it."""

    daemon_threads = True
    cluster = None

    def __init__(self):
        super().__init__(("127.0.0.1", free_port()), Telling)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Telling(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/admin/v1/cluster"
        body = json.dumps(self.server.cluster if known else {}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Figures(Case):
    """A cluster that is nothing but its figures: load and disk are this machine's otherwise."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.teller = Teller()
        cls.addClassCleanup(cls.teller.server_close)
        cls.addClassCleanup(cls.teller.shutdown)
        cls.url = f"http://127.0.0.1:{cls.teller.server_port}"

    def run_ctl(self, *words, code=0, url=None):
        done = subprocess.run([str(PROGRAMS / "sluicectl"), "--url", url or self.url, *words], capture_output=True, text=True,
                              timeout=60, cwd=self.folder, env={"SLUICE_ADMIN_KEY": "slk_any", "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.returncode, code, done)
        return done

    def advise(self, *nodes, **more):
        """(action, node) of each piece of advice, whose reasons are in `self.why`."""
        self.teller.cluster = cluster(*nodes, **more)
        told = json.loads(self.run_ctl("--json", "cluster", "advise").stdout)["advice"]
        self.why = [a["why"] for a in told]
        self.assertTrue(all(self.why), told)
        lines = self.run_ctl("cluster", "advise").stdout.splitlines()
        said = [f"{' '.join(filter(None, (a['action'], a['node'])))}: {a['why']}" for a in told]
        self.assertEqual(lines, said or ["nothing to change"])
        return [(a["action"], a["node"]) for a in told]

    def test_nothing_to_change(self):
        self.assertEqual(self.advise(member(1), member(2), member(3)), [])
        self.assertEqual(self.advise(member(1), member(2), member(3), member(4, role="BRIDGE"), member(5, state="REMOVED")), [])
        idle = [member(n, loadPercent=1) for n in range(1, 4)]
        self.assertEqual(self.advise(*idle), [])  # three copies need three

    def test_a_node_that_is_not_there(self):
        self.assertEqual(self.advise(member(1), member(2, reachable=False), member(3)), [("replace", "n2")])
        self.assertIn("not reachable", self.why[0])
        gone = {"id": 4, "name": "n4", "role": "MEMBER", "state": "REMOVED", "reachable": False}
        self.assertEqual(self.advise(member(1), member(2), member(3), gone), [])

    def test_memory_that_is_used_up(self):
        self.assertEqual(self.advise(member(1), member(2, memoryFull=True), member(3)), [("add", "n2")])
        self.assertIn("--memory-limit-mib", self.why[0])
        idle = [member(n, loadPercent=1) for n in range(1, 5)]
        self.assertEqual(self.advise(*idle[:3], member(4, loadPercent=1, memoryFull=True)), [("add", "n4")])  # and not one less

    def test_too_much_to_do(self):
        self.assertEqual(self.advise(member(1), member(2, loadPercent=85), member(3, loadPercent=84)), [("add", "n2")])
        self.assertIn("85 % busy", self.why[0])
        self.assertEqual(self.advise(member(1), member(2), member(3), member(4, role="BRIDGE", loadPercent=300)), [("add", "n4")])

    def test_too_little_to_do(self):
        idle = [member(n, loadPercent=14) for n in range(1, 5)]
        self.assertEqual(self.advise(*idle), [("remove", "")])
        self.assertIn("drain", self.why[0])
        self.assertEqual(self.advise(*idle[:3], member(4, loadPercent=15)), [])
        self.assertEqual(self.advise(*idle[:3], member(4, loadPercent=1, reachable=False)), [("replace", "n4")])

    def test_too_few_members(self):
        self.assertEqual(self.advise(member(1), replication=1), [("add", "")])
        self.assertEqual(self.advise(member(1), member(2)), [("add", "")])
        self.assertEqual(self.advise(member(1), member(2), member(3, state="DRAINING")), [("add", "")])
        self.assertEqual(self.advise(member(1), member(2), member(3, role="BRIDGE")), [("add", "")])

    def test_one_copy_where_three_could_be(self):
        self.assertEqual(self.advise(member(1), member(2), member(3), replication=1), [("replicate", "")])
        self.assertIn("sluicectl cluster replication 3", self.why[0])

    def test_disks_that_fill(self):
        full = member(3, diskFreeBytes=2 * GIB - 1, diskUsedBytes=8 * GIB)
        self.assertEqual(self.advise(member(1), member(2), full), [("free-disk", "n3")])
        self.assertIn("2 GiB", self.why[0])
        tight = member(3, diskFreeBytes=9 * GIB, diskUsedBytes=91 * GIB)
        self.assertEqual(self.advise(member(1), member(2), tight), [("free-disk", "n3")])
        large = member(3, diskFreeBytes=60 * GIB, diskUsedBytes=4000 * GIB)
        self.assertEqual(self.advise(member(1), member(2), large), [])

    def test_all_of_it_at_once(self):
        told = self.advise(member(1, reachable=False), member(2, loadPercent=99, diskFreeBytes=GIB))
        self.assertEqual(told, [("replace", "n1"), ("free-disk", "n2"), ("add", "n2"), ("add", "")])

    # ---- the hook ----

    def hook(self, command, *nodes, code=0, options=()):
        self.teller.cluster = cluster(*nodes)
        return self.run_ctl(*options, "cluster", "advise", "--hook", command, code=code)

    def test_the_hook_gets_the_advice_as_json(self):
        done = self.hook("cat > got.json && echo ran", member(1), member(2), member(3, reachable=False), options=["--json"])
        got = (self.folder / "got.json").read_text()
        self.assertEqual(got.count("\n"), 1, got)
        self.assertEqual(done.stdout, got + "ran\n")  # what --json prints, and then what the hook says
        self.assertEqual([(a["action"], a["node"]) for a in json.loads(got)["advice"]], [("replace", "n3")])
        self.assertTrue(self.hook("cat > again.json", member(1)).stdout.startswith("add: "))
        self.assertEqual([a["action"] for a in json.loads((self.folder / "again.json").read_text())["advice"]], ["add"])

    def test_without_advice_there_is_no_hook(self):
        self.assertEqual(self.hook("echo ran > never; false", member(1), member(2), member(3)).stdout, "nothing to change\n")
        self.assertFalse((self.folder / "never").exists())

    def test_a_hook_that_fails_is_a_failure(self):
        for command in ("cat > /dev/null; exit 3", "/nowhere/to-be-found", "kill $$"):
            with self.subTest(command=command):
                done = self.hook(command, member(1), code=1)
                self.assertIn(f"the hook '{command}' failed", done.stderr)
                self.assertTrue(done.stdout.startswith("add: "), done.stdout)
        told = json.loads(self.hook("false", member(1), code=1, options=["--json"]).stderr)["error"]
        self.assertEqual(told["exitCode"], 1)

    def test_nobody_to_ask(self):
        self.run_ctl("cluster", "advise", "--hook", "echo ran > unasked", code=3, url=f"http://127.0.0.1:{free_port()}")
        self.assertFalse((self.folder / "unasked").exists())
        self.run_ctl("cluster", "advise", "--hook", code=2)


class Life(ClusterCase):
    """One node, three, and three of which one is dead. What is said of this machine's load and disk is left out."""

    SIZE = 1

    def advice(self):
        """(action, node) of what is not about this machine."""
        done = self.cluster[1].ctl("--json", "cluster", "advise")
        self.assertEqual(done.returncode, 0, done)
        return self.about_the_cluster(json.loads(done.stdout))

    def about_the_cluster(self, told):
        found = [(a["action"], a["node"]) for a in told["advice"]]
        return [(action, node) for action, node in found if action != "free-disk" and (action != "add" or not node)]

    def test_advice_that_is_followed(self):
        self.assertIn(("add", ""), self.advice())
        for _ in range(2):
            self.programs.append(self.cluster.add())
        wait_for(lambda: ("replicate", "") in self.advice(), 10, lambda: f"more copies are advised; {self.advice()}", 0.2)
        self.cluster.replicate(3)
        self.cluster.await_replicated(3)
        wait_for(lambda: self.advice() == [], 10, lambda: f"there is nothing more to do; {self.advice()}", 0.2)
        self.assertIn("all is well", self.cluster[1].ctl("cluster", "status").stdout)

        victim = self.cluster[3]
        victim.kill()
        wait_for(lambda: self.advice() == [("replace", victim.title)], 10, lambda: f"it is missed; {self.advice()}", 0.2)
        got = self.folder / "got.json"
        done = self.cluster[2].ctl("cluster", "advise", "--hook", f"cat > {got}")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"replace {victim.title}: it is not reachable", done.stdout)
        self.assertEqual(self.about_the_cluster(json.loads(got.read_text())), [("replace", victim.title)])
        victim.start()
        wait_for(lambda: self.advice() == [], 10, lambda: f"it is back; {self.advice()}", 0.2)


if __name__ == "__main__":
    main()
