"""sluicectl against a real node: every command, its exit code, and what it prints for people and for scripts."""
import json
import os
import pathlib
import pty
import signal
import stat
import subprocess
import time

from harness import PROGRAMS, REPOSITORY, Case, Customer, free_port, main, wait_for

EVENT = """\
id: show
name: Show
venue: Hall
startsAt: 2031-05-01T20:00
timeZone: Europe/Berlin
categories:
  - {id: seat, name: Seat, price: 5000}
sections:
  - id: s
    blocks:
      - {id: A, category: seat, rows: 2, seatsPerRow: 10}
areas:
  - {id: floor, category: seat, capacity: 30}
admission: {usersPerMinute: 60000, maxActiveUsers: 1000}
"""


class CtlCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()
        cls.files = cls.make_folder("files")

    def ctl(self, *arguments, code=0, key=True, url=None, **options):
        """Runs a command; fails unless it ends with `code`."""
        command = [str(PROGRAMS / "sluicectl"), "--url", url or f"http://127.0.0.1:{self.node.port}"]
        if key:
            command += ["--key-file", str(self.node.data / "admin.key")]
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              cwd=self.files, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def ctl_json(self, *arguments, **options):
        """What it prints with --json, one value per line."""
        return [json.loads(line) for line in self.ctl("--json", *arguments, **options).stdout.splitlines()]

    def write(self, name, text):
        (self.files / name).write_text(text)
        return name

    def apply(self, event, text=EVENT):
        return self.ctl("event", "apply", "-f", self.write(f"{event}.yaml", text.replace("id: show", f"id: {event}")))


class EventCommands(CtlCase):
    def test_apply_is_declarative_and_idempotent(self):
        name = self.write("applied.yaml", EVENT.replace("id: show", "id: applied"))
        self.assertIn("would be created, 50 places", self.ctl("event", "apply", "-f", name, "--dry-run").stdout)
        self.assertNotIn("applied", self.ctl("event", "list").stdout)
        self.assertIn("applied: created, revision 1", self.ctl("event", "apply", "-f", name).stdout)
        self.assertIn("applied: unchanged, revision 1", self.ctl("event", "apply", "-f", name).stdout)
        self.assertIn("no changes", self.ctl("event", "apply", "-f", name, "--dry-run").stdout)

        changed = self.write("changed.yaml", (self.files / name).read_text().replace("5000", "5500")
                             .replace("capacity: 30", "capacity: 40").replace("venue: Hall", "venue: Arena"))
        difference = self.ctl("event", "apply", "-f", changed, "--dry-run").stdout
        self.assertIn("~ /categories/seat/price  5000 -> 5500", difference)
        self.assertIn("~ /areas/floor/capacity  30 -> 40", difference)
        self.assertIn("~ /venue  Hall -> Arena", difference)
        told = self.ctl_json("event", "apply", "-f", changed, "--dry-run")[0]
        self.assertEqual(told["result"], "would-change")
        self.assertIn({"pointer": "/venue", "before": "Hall", "after": "Arena"}, told["plan"]["changes"])
        self.assertEqual(self.ctl_json("event", "apply", "-f", changed)[0]["result"], "changed")
        self.assertIn("no changes", self.ctl("event", "apply", "-f", changed, "--dry-run").stdout)

    def test_what_show_prints_can_be_applied(self):
        self.apply("shown")
        self.write("again.yaml", self.ctl("event", "show", "shown").stdout)
        self.assertIn("no changes", self.ctl("event", "apply", "-f", "again.yaml", "--dry-run").stdout)
        as_json = self.ctl("--json", "event", "show", "shown").stdout
        done = self.ctl("event", "apply", "-f", "-", "--dry-run", input=as_json)
        self.assertIn("no changes", done.stdout)

    def test_a_mistake_has_a_path_and_a_line_and_nothing_is_applied(self):
        bad = self.write("bad.yaml", EVENT.replace("id: show", "id: bad").replace("price: 5000", "price: -1")
                         .replace("capacity: 30", "capacity: many"))
        good = self.write("good.yaml", EVENT.replace("id: show", "id: good"))
        done = self.ctl("event", "apply", "-f", good, "-f", bad, code=1)
        self.assertIn("bad.yaml:7: /categories/0/price must be between 0 and", done.stderr)
        self.assertIn("bad.yaml:13: /areas/0/capacity must be an integer", done.stderr)
        self.assertIn("2 mistakes; nothing was done", done.stderr)
        listed = self.ctl("event", "list").stdout
        self.assertNotIn("good", listed)
        self.assertNotIn("bad", listed)
        told = json.loads(self.ctl("--json", "event", "apply", "-f", bad, code=1).stderr)["error"]
        self.assertEqual([(e["file"], e["line"]) for e in told["errors"]], [("bad.yaml", 7), ("bad.yaml", 13)])
        self.write("broken.yaml", "id: x\nid: y\n")
        self.assertIn("broken.yaml:2: the key 'id' is here twice",
                      self.ctl("event", "check", "-f", "broken.yaml", code=1, key=False, url="http://127.0.0.1:9").stderr)

    def test_phases(self):
        self.apply("phases")

        def phase():
            return next(e["phase"] for e in self.ctl_json("event", "list")[0]["events"] if e["id"] == "phases")
        self.assertEqual(phase(), "OPEN")
        for command, reached in (("pause", "PAUSED"), ("pause", "PAUSED"), ("resume", "OPEN"), ("drain", "DRAINING"), ("close", "CLOSED"), ("open", "OPEN")):
            self.ctl("event", command, "phases")
            self.assertEqual(phase(), reached, command)
        self.ctl("event", "message", "phases", "Doors at seven")
        self.assertEqual(self.node.client().get("/api/v1/events/phases/status").json["message"], "Doors at seven")
        told = [r["what"] for r in self.ctl_json("audit", "phases")[0]["records"]]
        self.assertEqual(told, ["defined", "pause", "pause", "resume", "drain", "close", "open", "message"])

    def test_set_takes_effect_at_once(self):
        self.apply("knobs")
        done = self.ctl("event", "set", "knobs", "--users-per-minute", "1200", "--max-active", "300", "--claim-window", "60",
                        "--active-ttl", "500", "--waiting-ttl", "9000", "--batch-ms", "200", "--max-waiting", "7")
        self.assertIn("usersPerMinute  60000 -> 1200", done.stdout)
        admission = self.ctl_json("event", "show", "knobs")[0]["admission"]
        self.assertEqual(admission, {"usersPerMinute": 1200, "maxActiveUsers": 300, "claimWindowSeconds": 60, "batchMs": 200,
                                     "activeTtlSeconds": 500, "waitingTtlSeconds": 9000, "maxWaitingUsers": 7})
        self.assertEqual(self.ctl_json("event", "set", "knobs", "--max-active", "300")[0]["result"], "unchanged")
        self.assertIn("between", self.ctl("event", "set", "knobs", "--users-per-minute", "0", code=1).stderr)
        self.ctl("event", "set", "knobs", code=2)
        self.ctl("event", "set", "knobs", "--users-per-minute", "many", code=2)

    def test_delete_asks_and_protects_what_was_sold(self):
        self.apply("gone")
        self.ctl("event", "delete", "gone", code=2)  # nobody to ask
        Customer(self.node, "gone").enter().buy("A-1-1")
        done = self.ctl("event", "delete", "gone", "--yes", code=1)
        self.assertIn("--force", done.stderr)
        self.ctl("event", "delete", "gone", "--yes", "--force")
        self.assertIn("EVENT_UNKNOWN", self.ctl("event", "show", "gone", code=1).stderr)

    def test_figures_and_proof_of_a_sale(self):
        self.apply("sale")
        Customer(self.node, "sale").enter().buy("A-1-1", "A-1-2")
        Customer(self.node, "sale").enter().hold_area("floor", 3)
        self.assert_adds_up(self.node, "sale")
        proof = self.ctl_json("verify", "sale")[0]
        self.assertEqual((proof["ok"], proof["confirmed"], proof["held"], proof["available"]), (True, 2, 3, 45))
        told = self.ctl("verify").stdout
        self.assertIn("sale: ok", told)
        self.assertIn(f"seal {proof['seal']}\n", told)
        self.assertIn("one given holds", self.ctl("verify", "sale", "--seal", proof["seal"]).stdout)
        self.assertTrue(self.ctl_json("verify", "sale", "--seal", proof["seal"])[0]["sealHolds"])
        self.assertIn("one given holds", self.ctl("audit", "sale", "--seal", proof["seal"]).stdout)
        self.assertIn("the seal of the cluster is broken",
                      self.ctl("cluster", "audit", "--seal", proof["seal"], code=1).stderr)
        self.assertIn("name it", self.ctl("verify", "--seal", proof["seal"], code=2).stderr)
        self.assertIn("64 hexadecimal digits", self.ctl("verify", "sale", "--seal", "12", code=2).stderr)
        stats = self.ctl_json("event", "stats", "sale")[0]
        self.assertEqual((stats["confirmed"], stats["revenue"], stats["currency"]), (2, 10000, "EUR"))
        seen = self.ctl_json("event", "watch", "sale", "--count", "2", "--interval-ms", "100")
        self.assertEqual(len(seen), 2)
        for field, value in {"phase": "OPEN", "waitingUsers": 0, "held": 3, "confirmed": 2, "revenue": 10000}.items():
            self.assertEqual(seen[1][field], value, field)
        self.assertIn("admittedPerSecond", seen[0])
        self.assertIn("confirmed=2 revenue=100.00 EUR", self.ctl("event", "watch", "sale", "--count", "1").stdout)

    def test_watch_on_a_terminal_is_a_table_that_ends_with_ctrl_c(self):
        self.apply("seen")
        leader, follower = pty.openpty()
        process = subprocess.Popen([str(PROGRAMS / "sluicectl"), "--url", f"http://127.0.0.1:{self.node.port}", "--key-file",
                                    str(self.node.data / "admin.key"), "event", "watch", "seen", "--interval-ms", "100"],
                                   stdout=follower, stderr=follower)
        os.close(follower)
        text = b""
        until = time.monotonic() + 10
        while b"\x1b[3A" not in text and time.monotonic() < until:  # drawn again, in its place
            text += os.read(leader, 4096)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        os.close(leader)
        for head in (b"EVENT", b"PHASE", b"WAITING", b"ACTIVE", b"ADMITTED/S", b"HELD", b"CONFIRMED", b"REVENUE", b"seen"):
            self.assertIn(head, text)


class Plans(CtlCase):
    def test_a_seating_plan_becomes_an_event(self):
        plan = REPOSITORY / "tools" / "demo" / "plan.json"
        done = self.ctl_json("event", "import-plan", plan, "--id", "opera", "--price", "Premium=12000", "--default-price", "6000",
                             "--starts-at", "2031-01-02T19:00", "--time-zone", "Europe/Vienna", "-o", "opera.yaml")[0]
        self.assertGreaterEqual(done["seats"], 2000)
        self.ctl("event", "apply", "-f", "opera.yaml")
        listed = next(e for e in self.ctl_json("event", "list")[0]["events"] if e["id"] == "opera")
        self.assertEqual((listed["capacity"], listed["startsAt"]), (done["seats"], "2031-01-02T18:00:00.000Z"))
        Customer(self.node, "opera").enter().buy("parquet-1-1", "parquet-1-2")
        self.assertEqual(self.ctl_json("event", "stats", "opera")[0]["revenue"], 24000)

    def test_twenty_thousand_seats_in_two_seconds(self):
        made = subprocess.run(["bash", str(REPOSITORY / "tests/tools/ctl/make_plan.sh"), "20000"], capture_output=True, check=True)
        (self.files / "large.json").write_bytes(made.stdout)
        began = time.monotonic()
        self.ctl("event", "import-plan", "large.json", "--id", "large", "--default-price", "1000", "-o", "large.yaml")
        self.assertLess(time.monotonic() - began, 2)
        self.assertIn("20,000 places", self.ctl("event", "apply", "-f", "large.yaml").stdout)

    def test_a_bad_plan_writes_nothing(self):
        self.write("bad.json", '{"name": "x", "categories": [{"name": "A"}],\n"zones": [{"name": "Z", "rows": [{"row_number": "1",\n'
                   '"seats": [{"seat_guid": "1", "seat_number": "1", "category": "B"}]}]}]}')
        done = self.ctl("event", "import-plan", "bad.json", "--id", "x", "--default-price", "1", "-o", "x.yaml", code=1)
        self.assertIn("bad.json:3: /zones/0/rows/0/seats/0/category", done.stderr)
        self.assertFalse((self.files / "x.yaml").exists())
        self.ctl("event", "import-plan", "bad.json", "--id", "not an id", code=2)


class NodeCommands(CtlCase):
    def test_status(self):
        told = self.ctl_json("status")[0]
        self.assertTrue(told["ready"])
        self.assertEqual(len(told["cluster"]["partitions"]), 4)
        self.assertIn("PARTITION", self.ctl("status").stdout)
        self.assertIn("ready    yes", self.ctl("status", key=False).stdout)  # the details need a key

    def test_nobody_there(self):
        nowhere = f"http://127.0.0.1:{free_port()}"
        self.assertIn("can not reach a node", self.ctl("event", "list", code=3, url=nowhere).stderr)
        told = json.loads(self.ctl("--json", "status", code=3, url=nowhere).stderr)["error"]
        self.assertEqual(told["exitCode"], 3)
        self.ctl("status", code=2, url="ftp://x")

    def test_usage(self):
        self.assertIn("Exit codes:", self.ctl("--help").stdout)
        self.assertIn("'nonsense' is not known here", self.ctl("nonsense", code=2).stderr)
        self.ctl(code=2)
        self.ctl("event", "show", "not an id", code=2)
        self.ctl("event", "apply", code=2)

    def test_keys_and_roles(self):
        self.ctl("key", "create", "desk", "--role", "viewer", "-o", "desk.key")
        made = self.files / "desk.key"
        self.assertEqual(stat.S_IMODE(made.stat().st_mode), 0o600)
        self.assertIn({"name": "desk", "role": "viewer"}, self.ctl_json("key", "list")[0]["keys"])
        told = [(r["what"], r["subject"], r["detail"], r["by"]) for r in self.ctl_json("cluster", "audit")[0]["records"]]
        self.assertIn(("key added", "desk", "viewer", "admin"), told)
        self.apply("guarded")
        viewer = ("--key-file", "desk.key")
        self.ctl(*viewer, "event", "stats", "guarded", key=False)
        self.assertIn("FORBIDDEN", self.ctl(*viewer, "event", "pause", "guarded", key=False, code=1).stderr)
        self.ctl("key", "delete", "desk")
        self.assertIn("UNAUTHENTICATED", self.ctl(*viewer, "event", "stats", "guarded", key=False, code=1).stderr)

    def test_the_key_from_the_environment_or_the_usual_place(self):
        self.apply("keyed")
        bare = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        key = (self.node.data / "admin.key").read_text()
        self.ctl("event", "stats", "keyed", key=False, env={**bare, "SLUICE_ADMIN_KEY": key})
        self.ctl("event", "stats", "keyed", key=False, env={**bare, "SLUICE_ADMIN_KEY_FILE": str(self.node.data / "admin.key")})
        self.assertIn("SLUICE_ADMIN_KEY", self.ctl("event", "stats", "keyed", key=False, code=1, env=bare).stderr)
        usual = pathlib.Path(self.files / "var" / "admin.key")
        usual.parent.mkdir()
        usual.write_text(key)
        usual.chmod(0o600)
        self.ctl("event", "stats", "keyed", key=False, env=bare)
        usual.unlink()
        self.ctl("event", "stats", "keyed", key=False, code=2, env={**bare, "SLUICE_ADMIN_KEY": "  "})

    def test_the_cluster(self):
        shown = self.ctl("cluster", "status").stdout
        for head in ("cluster  ", "NODE", "PEER ADDRESS", "PARTITION", "LEADER", "LAG", "all is well"):
            self.assertIn(head, shown)
        told = self.ctl_json("cluster", "status")[0]
        self.assertEqual((told["troubles"], len(told["cluster"]["partitions"])), ([], 4))
        name = told["cluster"]["nodes"][0]["name"]
        self.assertEqual(len(self.ctl_json("cluster", "status", "--watch", "--count", "2", "--interval-ms", "100")), 2)
        made = self.ctl("cluster", "token", "--ttl", "60").stdout
        token = next(line.split()[1] for line in made.splitlines() if line.startswith("token"))
        self.assertRegex(made, f"sluiced --name NAME --data DIR --listen .* --join .* --join-token {token}")
        self.assertIn(f"--name {name} ", self.ctl_json("cluster", "replace", name, "--ttl", "1")[0]["command"])
        self.assertNotEqual(self.ctl_json("cluster", "join")[0]["token"], token)
        self.assertIn("last active member", self.ctl("cluster", "drain", name, code=1).stderr)
        self.assertIn("drain", self.ctl("cluster", "remove", name, code=1).stderr)
        self.assertIn("NODE_UNKNOWN", self.ctl("cluster", "remove", "nobody", code=1).stderr)
        self.assertEqual(self.ctl_json("cluster", "activate", name), [{"node": name, "result": "active"}])
        self.ctl("cluster", "replication", "1")
        self.assertIn("TOO_FEW_NODES", self.ctl("cluster", "replication", "3", code=1).stderr)
        self.ctl("cluster", "replication", "2", code=2)
        self.assertIn("VERSION_TOO_OLD", self.ctl("cluster", "activate-feature", "4000000000", code=1).stderr)
        self.ctl("cluster", "transfer", "99", code=1)
        self.assertIn("no other voter", self.ctl("cluster", "transfer", "0", code=1).stderr)
        self.ctl("cluster", "transfer", "0", name)  # who leads it already
        self.ctl("cluster", "rebalance")
        self.apply("deleted")
        self.ctl("event", "delete", "deleted", "--yes")
        backup = self.ctl_json("backup", "create")[0]["id"]
        noted = lambda: [(r["what"], r["subject"], r["by"]) for r in self.ctl_json("cluster", "audit")[0]["records"]]
        for deed in (("leader moved", "partition 0", "admin"), ("leaders spread", "", "admin"), ("backup made", backup, "admin"),
                     ("event removed", "deleted", "admin")):
            wait_for(lambda: deed in noted(), 5, lambda: f"{deed} is noted; {noted()}")
        records = self.ctl_json("cluster", "audit")[0]["records"]
        self.assertEqual(records[0]["what"], "founded")
        self.assertIn(("join token made", "", "admin"), [(r["what"], r["subject"], r["by"]) for r in records])
        self.assertIn("founded", self.ctl("cluster", "audit").stdout)

    def test_certificates_need_no_node(self):
        nowhere = f"http://127.0.0.1:{free_port()}"
        done = self.ctl("cluster", "certs", "--out", "certs", "n1", "n2", key=False, url=nowhere)
        self.assertEqual([pathlib.Path(f).name for f in done.stdout.splitlines()],
                         ["ca.key", "ca.crt", "n1.key", "n1.crt", "n2.key", "n2.crt"])
        self.assertEqual(stat.S_IMODE((self.files / "certs" / "ca.key").stat().st_mode), 0o600)
        self.assertFalse(self.ctl_json("cluster", "certs", "--out", "certs", "n3", key=False)[0]["newAuthority"])
        self.assertIn("exists already", self.ctl("cluster", "certs", "--out", "certs", "n3", key=False, code=1).stderr)
        self.ctl("cluster", "certs", "n3", key=False, code=2)

    def test_looking_inside(self):
        self.apply("inside")
        customer = Customer(self.node, "inside", "ada").enter()
        customer.hold("A-1-1")
        active = self.ctl_json("inspect", "actors")[0]["entities"]
        self.assertTrue(any(e.startswith("seat_block/") for e in active), active)
        self.assertIn("inside", self.ctl("inspect", "actors").stdout)
        number = next(e for e in active if e.startswith("seat_block/")).split("/")[1]
        for words in (("event", "inside"), ("event/inside",), (f"event/{number}",), ("seat_block/inside/1",), ("catalogue",),
                      ("session", "inside", "--user", "ada"), ("session/inside/ada",), ("area", "inside", "--block", "2")):
            self.assertIsInstance(self.ctl_json("inspect", "entity", *words)[0], dict, words)
        self.ctl("inspect", "entity", "nothing", code=2)
        self.ctl("inspect", "entity", "seat_block/inside/x", code=2)
        self.ctl("inspect", "entity", "event", "absent", code=1)
        entries = self.ctl_json("inspect", "log")[0]["entries"]
        self.assertEqual(entries[0]["index"], 1)
        self.assertIn("registerEvent", self.ctl("inspect", "log", "--partition", "0").stdout)
        self.ctl("inspect", "log", "--partition", "99", code=1)


if __name__ == "__main__":
    main()
