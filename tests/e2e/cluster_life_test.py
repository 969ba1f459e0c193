"""A cluster's life: it grows under load, nodes drain and go, bridges come and go, leaders move, and who does not belong is
told so."""
import shutil
import subprocess
import time

from cluster import PARTITIONS, ClusterCase
from cluster_load_test import Load
from harness import Customer, definition, main, wait_for
from history_checks import HistoryChecks
from programs import PROGRAMS, REPOSITORY, free_port
from shopper import History, Shopper
from web import Client


class Growing(HistoryChecks, ClusterCase):
    """One node becomes three, five, and three others again, while customers buy at the first ones."""

    SIZE = 1
    OPTIONS = ("--checkpoint-log-mib", "1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=40, seats=50, area=5000, price=1000, keepActiveAfterBooking=True,
                                         admission={"maxActiveUsers": 20}))
        cls.history = History()
        cls.node = cls.cluster[1]
        with Load([cls.node], cls.history, [Shopper] * 4) as load:
            time.sleep(1.5)
            cls.steps = list(cls.grow())
        load.check()

    @classmethod
    def grow(cls):
        cluster = cls.cluster
        cluster.add()
        cls.programs.append(cluster[2])
        yield "two nodes", len(cls.history.operations)
        cluster.add()
        cls.programs.append(cluster[3])
        cluster.replicate(3)
        cluster.await_replicated(3)
        yield "three copies", len(cls.history.operations)
        for _ in range(2):
            cls.programs.append(cluster.add())
        cluster.replicate(5)
        cluster.await_replicated(5)
        yield "five copies", len(cls.history.operations)
        cluster.replicate(3)
        cluster.await_replicated(3)
        for victim in (cluster[2], cluster[3]):
            done = cls.node.ctl("cluster", "drain", victim.title, "--wait", "40")
            assert done.returncode == 0, done
            assert not cls.holds_anything(victim)
            yield f"{victim.title} drained", len(cls.history.operations)
            assert victim.stop() == 0
            done = cls.node.ctl("cluster", "remove", victim.title)
            assert done.returncode == 0, done
        cluster.await_replicated(3)
        yield "three others", len(cls.history.operations)

    @classmethod
    def holds_anything(cls, node):
        id = next(n["id"] for n in cls.node.describe()["nodes"] if n["name"] == node.title)
        return [p["id"] for p in cls.node.describe()["partitions"] if id in p["voters"] or id in [r["node"] for r in p["replicas"]]]

    def test_customers_noticed_nothing(self):
        print("\n", self.steps)
        counts = [n for _, n in self.steps]
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(len(set(counts)), len(counts) - 2, self.steps)
        self.assertEqual(self.history.failures, [])

    def test_all_replicas_are_equal(self):
        self.cluster.await_equal_states()

    def test_a_removed_node_does_not_come_back(self):
        gone = self.cluster[2]
        gone.start(wait=False)
        try:
            wait_for(lambda: "is not in this cluster" in gone.log_text() or "refuses this node" in gone.log_text(), 10,
                     lambda: f"it is told why; it says {gone.log_text()[-600:]}", 0.2)
            self.assertFalse(gone.is_ready())
        finally:
            gone.kill()


class Removing(ClusterCase):
    """A node goes only when it is certain that nothing is on it alone."""

    SIZE = 1

    def test_a_node_that_died_before_it_was_empty_stays(self):
        self.programs.append(self.cluster.add())
        leaders = lambda: [self.cluster.leader_id(p) for p in range(PARTITIONS)]
        wait_for(lambda: len(set(leaders())) == 2 and all(leaders()), 20, lambda: f"both hold some; {leaders()}")
        self.cluster.await_replicated(1)
        keeper = self.cluster.leader(0)
        other = next(n for n in self.cluster.nodes if n is not keeper)
        alone = next(p for p in range(PARTITIONS) if self.cluster.leader_id(p) == other.id)
        other.kill()
        self.cluster.act("drain", node=other.title)
        for _ in range(2):
            done = keeper.ctl("cluster", "remove", other.title)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("partition", done.stderr)
            self.assertIn(str(alone), done.stderr)
            time.sleep(2.5)  # by the second time nobody remembers what the dead one said
        self.assertIn("no leader", done.stderr)
        other.start()
        done = keeper.ctl("cluster", "drain", other.title, "--wait", "40")
        self.assertEqual(done.returncode, 0, done)
        done = keeper.ctl("cluster", "remove", other.title)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(set(leaders()), {keeper.id})


class Moving(ClusterCase):
    """What was moved away is not kept: not in memory, not on the disk; and it may come back."""

    SIZE = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        first = cls.cluster[1]
        cls.buyers = {}
        for k in range(2 * PARTITIONS):
            event = f"show{k}"
            cls.cluster.put_event(definition(event, rows=2, seats=10))
            cls.buyers[event] = Customer(first, event).enter()
            cls.buyers[event].buy("A-1-1")
        second = cls.cluster.add()
        cls.programs.append(second)
        leader = cls.cluster.leader_id
        wait_for(lambda: 0 < sum(leader(p) == second.id for p in range(PARTITIONS)) < PARTITIONS, 30, "some moved")
        cls.cluster.await_replicated(1)
        cls.moved = [p for p in range(PARTITIONS) if leader(p) == second.id]
        # It is told when it is decided; the disk is a moment behind.
        wait_for(lambda: all(cls.left(first, p) and not cls.entries(first, p) for p in cls.moved), 30, lambda: first.log_text()[-800:])

    @staticmethod
    def left(node, partition):
        return f"partition.vacated partition={partition} " in node.log_text()

    @staticmethod
    def entries(node, partition):
        return node.admin("GET", f"/inspect/log?partition={partition}&limit=200")["entries"]

    def test_it_is_gone_stays_gone_and_comes_back_whole(self):
        first, second = self.cluster.nodes
        for p in range(PARTITIONS):
            self.assertEqual(bool(self.entries(first, p)), p not in self.moved, p)
            self.assertEqual(self.left(first, p), p in self.moved, p)
            self.assertFalse(self.left(second, p))
        first.kill()
        first.start()
        self.cluster.await_replicated(1)
        for p in self.moved:
            self.assertEqual(self.entries(first, p), [])
            self.assertEqual(self.cluster.leader_id(p), second.id)
        done = first.ctl("cluster", "drain", second.title, "--wait", "40")
        self.assertEqual(done.returncode, 0, done)
        self.assertTrue(all(self.entries(first, p) for p in self.moved))
        self.assertEqual(second.stop(), 0)
        for event, buyer in self.buyers.items():
            again = Customer(first, event).enter()
            self.assertEqual(again.try_hold({"seats": ["A-1-1"]}).status, 409, event)
            again.buy("A-1-2")


class Leaders(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=20, keepActiveAfterBooking=True, limitPerUser=100))

    def test_a_transfer_goes_where_it_is_told(self):
        c = Customer(self.cluster[1], "show").enter()
        slowest = 0
        for n in range(9):
            to = self.cluster.nodes[n % 3]
            for partition in range(PARTITIONS):
                done = self.cluster[n % 2 + 1].ctl("cluster", "transfer", str(partition), to.title)
                self.assertEqual(done.returncode, 0, done)
                wait_for(lambda: self.cluster.leader_id(partition) == to.id, 10, f"{to.title} leads {partition}")
            began = time.monotonic()
            c.hold(f"A-{n // 5 + 1}-{n % 5 + 1}")
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 2)

    def test_leaders_spread(self):
        first = self.cluster[1]
        for partition in range(PARTITIONS):
            self.cluster.act("transfer", partition=partition, to=first.title)
        wait_for(lambda: {self.cluster.leader_id(p) for p in range(PARTITIONS)} == {first.id}, 10, "one leads all")
        done = first.ctl("cluster", "rebalance")
        self.assertEqual(done.returncode, 0, done)
        leads = lambda: sorted(n.get("leads", 0) for n in first.describe()["nodes"])
        wait_for(lambda: leads() == [1, 1, 2], 20, lambda: f"they are spread; now {leads()}", 0.2)

    def test_who_is_told_to_stop_leads_nothing_more(self):
        for node in self.cluster.nodes:
            self.assertEqual(node.stop(), 0)
            told = self.cluster.any().describe()["partitions"]
            self.assertTrue(all(p["leader"] for p in told), told)
            node.start()
            self.cluster.await_replicated()

    def test_transfers_that_make_no_sense(self):
        done = self.cluster[1].ctl("cluster", "transfer", "99", "n1")
        self.assertEqual(done.returncode, 1, done)
        done = self.cluster[1].ctl("cluster", "transfer", "0", "n9")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("n9", done.stderr)


class Full(ClusterCase):
    """One node of four has no memory left: nobody new gets into the lines it keeps, wherever one asks; those in line, and the
    other lines, notice nothing."""

    SIZE = 4

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for n in range(6):
            cls.cluster.put_event(definition(f"show{n}", rows=20, keepActiveAfterBooking=True))
        cls.bridge = cls.cluster.add("--role", "bridge")
        cls.programs.append(cls.bridge)
        cls.full, cls.kept, cls.other = next(
            (node, kept, other) for node in cls.cluster.nodes[1:4] for kept in cls.cluster.homes for other in cls.cluster.homes
            if cls.keeps(node, kept) and not cls.keeps(node, other))

    @classmethod
    def keeps(cls, node, event):
        partition = cls.cluster.describe()["partitions"][cls.cluster.homes[event]]
        return node.id in partition["voters"]

    def entities_in_memory(self, node):
        return sum(float(line.split()[-1]) for line in node.client().get("/metrics").body.decode().splitlines()
                   if line.startswith("sluice_entities_active"))

    def join(self, node, event, user="late"):
        return node.client().post(f"/api/v1/events/{event}/queue", {"userId": user})

    def test_joins_are_refused_everywhere_until_it_has_room(self):
        inside = Customer(self.bridge, self.kept).enter()
        others = [Customer(self.bridge, self.kept).enter() for _ in range(30)]
        full, third = self.full, next(n for n in self.cluster.nodes[1:4] if n is not self.full and self.keeps(n, self.kept))
        before, full.options = full.options, (*full.options, "--memory-limit-mib", "1")
        full.stop()
        full.start()
        self.cluster.await_replicated()
        for node in (self.cluster[1], third, full, self.bridge):
            def refused():
                answer = self.join(node, self.kept)
                return answer.status == 503 and answer.json["code"] == "OVERLOADED" and "memory" in answer.json["detail"]
            wait_for(refused, 10, f"{node.title} refuses")
        self.assertIn("memory limit", self.cluster[1].ctl("cluster", "status").stdout)
        for n, node in enumerate((self.cluster[1], third, self.bridge)):
            self.assertLess(self.join(node, self.other, f"early-{n}").status, 300, "it does not keep this line")
        inside.await_state(inside.pay(inside.hold("A-1-1")), "CONFIRMED")
        for n, one in enumerate(others):
            one.hold(f"A-{2 + n // 10}-{1 + n % 10}")
        wait_for(lambda: self.entities_in_memory(full) + 15 <= self.entities_in_memory(third), 10,
                 lambda: f"sessions sleep there: {self.entities_in_memory(full)} of {self.entities_in_memory(third)}")
        full.options = before
        full.stop()
        full.start()
        for node in (full, self.bridge):
            wait_for(lambda: self.join(node, self.kept, f"late-{node.title}").status < 300, 10, "there is room")


class Bridges(ClusterCase):
    """A node that holds nothing, serves everything, and is missed by nobody. In the clear, as nodes of one machine may talk: with
    certificates everywhere else, this is where plain lines carry questions, logs and news of leaders that die."""

    TLS = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=20, area=50, keepActiveAfterBooking=True))
        cls.bridge = cls.cluster.add("--role", "bridge")
        cls.programs.append(cls.bridge)

    def test_it_serves_everything(self):
        c = Customer(self.bridge, "show").enter()
        stream = self.bridge.stream("/api/v1/events/show/seats/stream")
        self.addCleanup(stream.close)
        stream.next()
        hold = c.hold("A-1-1")
        stream.until(lambda e: {"id": "A-1-1", "status": "HELD"} in e["data"]["seats"])
        c.await_state(c.pay(hold), "CONFIRMED")
        self.assertEqual(self.bridge.client().get("/api/v1/concerts/ranking").status, 200)
        wait_for(lambda: self.bridge.stats("show")["confirmed"] == 1, 5, "its figures follow")
        self.bridge.act("show", "message", {"message": "from a bridge"})
        self.assertTrue(self.bridge.verify("show")["ok"])
        told = self.bridge.describe()
        own = next(n for n in told["nodes"] if n["name"] == self.bridge.title)
        self.assertEqual((own["role"], own.get("leads", 0)), ("BRIDGE", 0))
        self.assertTrue(all(own["id"] not in p["voters"] for p in told["partitions"]))

    def test_it_comes_and_goes(self):
        c = Customer(self.cluster[1], "show").enter()
        for n, leave in enumerate((self.bridge.kill, self.bridge.stop, self.bridge.kill)):
            leave()
            c.hold(f"A-2-{n + 1}")
            self.bridge.start()
            b = Customer(self.bridge, "show").enter()
            b.hold(f"A-3-{n + 1}")
        self.cluster.await_replicated()

    def test_it_follows_leaders_that_die(self):
        b = Customer(self.bridge, "show").enter()
        for n in range(3):
            leader = self.cluster.leader_of_event("show", by=self.bridge)
            leader.kill()
            self.assertEqual(b.try_hold({"seats": [f"A-4-{n + 1}"]}).status, 201)
            leader.start()
            self.cluster.await_replicated()

    def test_it_is_nobody_to_found_a_cluster_with(self):
        lone = self.make_cluster("lone", 1, start=False)[1]
        lone.start(wait=False, more=("--role", "bridge"))
        self.assertNotEqual(lone.process.wait(10), 0)
        self.assertIn("--join", lone.log_text())


class Strangers(ClusterCase):
    """Who does not belong is refused, with words, on the line and in the log."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=5))
        cls.stranger_number = 4

    def stranger(self, **how):
        made = self.cluster.make(Strangers.stranger_number)
        Strangers.stranger_number += 1
        self.programs.append(made)
        for name, value in how.items():
            setattr(made, name, value)
        return made

    def token(self):
        return self.cluster[1].admin("POST", "/cluster/actions/join", {})["token"]

    def assert_ends(self, node, *words):
        wait_for(lambda: not node.running, 20, lambda: f"it gives up; {node.log_text()[-500:]}")
        self.assertNotEqual(node.process.returncode, 0)
        for word in words:
            self.assertIn(word, node.log_text())

    def test_certificates_make_the_name(self):
        s = self.stranger()
        self.cluster.certify("evil")
        folder = self.cluster.certificates
        names = (s.title + ".crt", s.title + ".key")
        for name in names:
            shutil.copy(folder / name, folder / (name + ".own"))
            shutil.copy(folder / name.replace(s.title, "evil"), folder / name)
        s.join(self.cluster[1], self.token(), wait=False)
        self.assert_ends(s, "its certificate is for 'evil'", s.title)

    def test_another_authority_is_no_authority(self):
        s = self.stranger()
        folder = self.folder / "forged"
        self.cluster.certify(s.title, folder=folder)
        before, self.cluster.certificates = self.cluster.certificates, folder
        try:
            s.join(self.cluster[1], self.token(), wait=False)
            self.assert_ends(s, "can not join")
        finally:
            self.cluster.certificates = before

    def test_no_certificate_no_word(self):
        s = self.stranger()
        before, self.cluster.certificates = self.cluster.certificates, None
        try:
            s.join(self.cluster[1], self.token(), wait=False)
            self.assert_ends(s, "can not join")
        finally:
            self.cluster.certificates = before

    def test_tokens_are_good_once(self):
        for token, words in (("slj_" + "a" * 26, "token"), ("", "token")):
            s = self.stranger()
            s.join(self.cluster[1], token, wait=False)
            self.assert_ends(s, words)
        token = self.token()
        first = self.stranger()
        self.cluster.nodes.append(first)
        first.join(self.cluster[2], token)
        second = self.stranger()
        second.join(self.cluster[1], token, wait=False)
        self.assert_ends(second, "token")
        first.kill()
        first.start()  # it is in: no token is needed any more
        self.cluster[1].admin("POST", "/cluster/actions/drain", {"node": first.title})
        self.cluster.await_replicated(3)
        wait_for(lambda: self.cluster[1].ctl("cluster", "remove", first.title).returncode == 0, 20, "it may go", 0.3)
        first.kill()
        self.cluster.nodes.remove(first)

    def test_a_node_of_another_cluster(self):
        """Of the same authority and name, at the right place."""
        other = self.make_cluster("other", 1, start=False)
        other.certificates = self.cluster.certificates
        alien, victim = other[1], self.cluster[3]
        alien.title, alien.host, alien.port, alien.peer_port = victim.title, victim.host, victim.port, victim.peer_port
        victim.stop()
        other.found()
        first = self.cluster[1]
        wait_for(lambda: "this is cluster" in first.log_text(), 10, lambda: f"it is refused; {first.log_text()[-400:]}", 0.2)
        self.assertNotIn("peer.opened node=3", alien.log_text())
        alien.kill()
        victim.start()
        self.cluster.await_replicated()

    def test_a_folder_under_another_name(self):
        victim = self.cluster[3]
        victim.stop()
        victim.title = "n2"
        try:
            victim.start(wait=False)
            self.assert_ends(victim, "data folder is node 'n3'")
        finally:
            victim.title = "n3"
        victim.start()
        self.cluster.await_replicated()

    def test_a_disk_that_was_replaced_may_not_come_back(self):
        victim = self.cluster[2]
        kept = self.folder / "kept"
        victim.stop()
        shutil.copytree(victim.data, kept)
        self.cluster.wipe(victim)
        self.cluster.await_replicated()
        victim.kill()
        new = self.folder / "new"
        shutil.move(victim.data, new)
        shutil.move(kept, victim.data)
        seen = len(victim.log_text())
        others = {n: len(n.log_text()) for n in (self.cluster[1], self.cluster[3])}
        victim.start(wait=False)
        wait_for(lambda: "replaced" in victim.log_text()[seen:], 10, lambda: f"it is told; {victim.log_text()[seen:]}", 0.2)
        self.assertFalse(victim.is_ready())
        self.assertTrue(self.cluster[1].is_ready())
        told = lambda: [n for n, seen in others.items() if "peer.refused node=2 name=n2 why=the disk of node" in n.log_text()[seen:]]
        wait_for(lambda: len(told()) == 2, 25, lambda: f"who refuses it says so; {[n.title for n in told()]}", 0.5)
        victim.kill()
        shutil.rmtree(victim.data)
        shutil.move(new, victim.data)
        victim.start()
        self.cluster.await_replicated()
        self.cluster.await_equal_states()

    def test_beyond_loopback_only_with_certificates(self):
        lone = self.make_cluster("open", 1, tls=False, start=False)[1]
        lone.peer_listen = "0.0.0.0:0"
        lone.start(wait=False)
        self.assertNotEqual(lone.process.wait(10), 0)
        self.assertIn("only with TLS", lone.log_text())
        lone.start(wait=False, more=("--insecure-peers",))
        wait_for(lone.is_ready, 20, "it starts all the same")
        self.assertIn("peer.insecure", lone.log_text())


class Tool(ClusterCase):
    """tools/cluster itself, with certificates."""

    @classmethod
    def make_cluster(cls, *_):
        return None

    def run_tool(self, *arguments, expect=0):
        done = subprocess.run([str(REPOSITORY / "tools/cluster"), *map(str, arguments)], capture_output=True, text=True,
                              timeout=150, env={"SLUICE_BIN": str(PROGRAMS), "SLUICE_CLUSTER": str(self.folder / "current"),
                                                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder)})
        self.assertEqual(done.returncode, expect, done)
        return done.stdout + done.stderr

    def test_a_cluster_from_beginning_to_end(self):
        port = free_port()
        self.run_tool("status", expect=1)
        told = self.run_tool("up", 3, "--tls", "--port", port, "--data", self.folder / "d", "--partitions", 4)
        self.addCleanup(self.run_tool, "down")
        self.assertIn("all is well", told)
        self.run_tool("up", 3, "--tls", "--port", port, "--data", self.folder / "d", expect=1)
        self.run_tool("kill", 2)
        self.assertIn("node 2 is down", self.run_tool("status"))
        self.run_tool("start", 2)
        self.run_tool("pause", 1)
        time.sleep(2)
        self.run_tool("resume", 1)
        self.run_tool("stop", 3)
        self.run_tool("start", 3)
        self.run_tool("wipe", 1)
        self.run_tool("kill", 9, expect=2)
        for k in (1, 2, 3):
            self.run_tool("kill", k)
        self.assertIn("1 of 3 are not enough", self.run_tool("start", 2))
        self.run_tool("start", 3)
        self.assertIn("all is well", self.run_tool("up", 3, "--data", self.folder / "d"))
        wait_for(lambda: "all is well" in self.run_tool("status"), 30, "all is well", 0.5)
        self.run_tool("down")
        told = self.run_tool("up", 3, "--data", self.folder / "d")
        wait_for(lambda: "all is well" in self.run_tool("status"), 30, "all is well", 0.5)

    def test_of_five_two_may_be_gone(self):
        port, data = free_port(), self.folder / "five"
        self.run_tool("up", 5, "--tls", "--port", port, "--data", data, "--partitions", 4)
        self.addCleanup(self.run_tool, "down")
        for k in (1, 4):
            self.run_tool("kill", k)
        self.assertIn("node 4 is down", self.run_tool("status"))
        joined = Client(port, host="127.0.0.2").post("/api/v1/events/course/queue", {"userId": "ann"})
        self.assertIn(joined.status, (200, 202), joined)
        self.run_tool("start", 1)
        self.run_tool("wipe", 4)
        told = ""
        def is_whole():
            nonlocal told
            told = self.run_tool("status")
            return "all is well" in told and "no vote" not in told and "being filled" not in told
        wait_for(is_whole, 60, lambda: f"all is well; {told}", 0.5)
        for k in (2, 3):
            self.run_tool("kill", k)  # those that had it all along
        place = lambda: Client(port, host="127.0.0.4").get("/api/v1/events/course/queue", joined.json["token"])
        wait_for(lambda: place().status == 200, 20, lambda: f"three of five go on; {place()}; before, it was said: {told}; now: {self.run_tool('status')}")
        self.assertEqual(place().json["ticketNumber"], joined.json["ticketNumber"])


if __name__ == "__main__":
    main()
