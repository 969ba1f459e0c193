"""The data folder: who may read and use it, what happens when it is full, damaged, or the node is told to stop."""
import http.client
import os
import pathlib
import resource
import shutil
import stat
import subprocess
import threading
import time

from harness import Case, Customer, PROGRAMS, definition, main, wait_for


class PersistenceCase(Case):
    def fresh(self, *options, **how):
        node = self.make_node(*options, name=self.id().rsplit(".", 1)[1], **how)
        self.addCleanup(node.kill)
        return node

    def assert_refuses_to_start(self, node, *words):
        """Ends by itself, soon, not with success, and says why."""
        before = len(node.log_text())
        node.start(wait=False)
        code = wait_for(lambda: node.process.poll() is not None and [node.process.poll()], 30, "the node gives up")[0]
        said = node.log_text()[before:]
        self.assertNotEqual(code, 0, said)
        for word in words:
            self.assertIn(word, said)
        return said


class Security(PersistenceCase):
    def test_keys_are_for_their_owner_only(self):
        node = self.fresh().start()
        for name in ("admin.key", "cluster.key"):
            mode = stat.S_IMODE((node.data / name).stat().st_mode)
            self.assertEqual(mode, 0o600, name)
        self.assertNotIn(node.key, node.log_text())
        node.stop()
        (node.data / "admin.key").chmod(0o644)
        self.assert_refuses_to_start(node, "admin.key", "chmod 600")

    def test_listens_on_loopback_unless_told_otherwise(self):
        told = subprocess.run([PROGRAMS / "sluiced", "--help"], capture_output=True, text=True).stdout
        self.assertIn("127.0.0.1:8080", told)
        node = self.fresh().start()
        inodes = {os.readlink(f)[8:-1] for f in pathlib.Path(f"/proc/{node.process.pid}/fd").iterdir()
                  if os.path.islink(f) and os.readlink(f).startswith("socket:[")}
        listening = set()
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path(f"/proc/{node.process.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    listening.add(fields[1].split(":")[0])
        self.assertEqual(listening, {"0100007F"})  # 127.0.0.1 and nothing else

    def test_roles(self):
        node = self.fresh().start()
        node.put_event(definition("show"))
        keys = {"admin": node.key, "none": None}
        for role in ("viewer", "operator"):
            keys[role] = node.admin("POST", "/keys", {"name": role, "role": role})["key"]
        event = "/admin/v1/events/show"
        may = [  # who may do what at the least
            ("viewer", "GET", event, None), ("viewer", "GET", event + "/stats", None),
            ("viewer", "GET", event + "/verify", None), ("viewer", "GET", event + "/audit", None),
            ("viewer", "GET", "/admin/v1/cluster", None), ("viewer", "POST", event + "/plan", definition("show")),
            ("operator", "PUT", event, definition("show")), ("operator", "POST", event + "/actions/pause", {}),
            ("operator", "POST", event + "/actions/resume", {}),
            ("operator", "PATCH", event + "/admission", {"usersPerMinute": 100}),
            ("operator", "GET", "/admin/v1/inspect/log?partition=0", None), ("admin", "GET", "/admin/v1/keys", None),
            ("admin", "POST", "/admin/v1/keys", {"name": "x", "role": "viewer"}),
            ("admin", "DELETE", "/admin/v1/keys/x", None), ("admin", "DELETE", event, None)]
        ranks = ["none", "viewer", "operator", "admin"]
        for needed, method, path, body in may:
            for role in ranks:
                with self.subTest(method=method, path=path, role=role):
                    answer = node.client(keys[role]).request(method, path, body)
                    if role == "none":
                        self.assert_problem(answer, 401, "UNAUTHENTICATED")
                    elif ranks.index(role) < ranks.index(needed):
                        self.assert_problem(answer, 403, "FORBIDDEN")
                    else:
                        self.assertLess(answer.status, 300, answer)

    def test_keys_outlive_a_restart_and_so_does_taking_them_away(self):
        node = self.fresh().start()
        kept = node.admin("POST", "/keys", {"name": "kept", "role": "viewer"})["key"]
        lost = node.admin("POST", "/keys", {"name": "lost", "role": "viewer"})["key"]
        node.admin("DELETE", "/keys/lost")
        node.kill()
        node.start()
        self.assertEqual(node.client(kept).get("/admin/v1/cluster").status, 200)
        self.assert_problem(node.client(lost).get("/admin/v1/cluster"), 401, "UNAUTHENTICATED")


class Folder(PersistenceCase):
    def test_one_node_for_one_folder_and_one_port(self):
        first = self.fresh().start()
        second = self.make_node(name="second")
        second.data = first.data
        self.assert_refuses_to_start(second, "another node uses it", str(first.data))
        third = self.make_node(name="third")
        third.port = first.port
        self.assert_refuses_to_start(third, "can not listen", str(first.port))
        self.assertTrue(first.is_ready())

    def test_a_folder_it_may_not_write(self):
        node = self.fresh()
        node.data = pathlib.Path("/proc/sluice")
        self.assert_refuses_to_start(node, "/proc/sluice")

    def test_a_lost_cluster_key(self):
        node = self.fresh().start()
        node.stop()
        (node.data / "cluster.key").unlink()
        self.assert_refuses_to_start(node, "cluster.key", "backup")

    def test_damage_is_found_and_told(self):
        """One byte in the middle of each kind of file: the node ends and says why, or nobody ever sees the damage."""
        node = self.fresh("--checkpoint-log-mib", "1").start()
        node.put_event(definition("show", rows=10, seats=50))
        customers = [Customer(node, "show") for _ in range(60)]
        for c in customers:
            c.join()
        node.stop()      # a checkpoint
        node.start()
        told = [Customer(node, "show").join()["ticketNumber"] for _ in range(60)]
        self.assertEqual(told, list(range(61, 121)))
        node.kill()      # and a log behind it
        whole = self.folder / "whole"
        shutil.copytree(node.data, whole)
        kinds = {}
        for file in sorted(whole.rglob("*")):
            if file.is_file() and file.stat().st_size > 0:
                kind = file.suffix or file.name.split("-")[0]
                if kind in (".log", ".sst", "MANIFEST") and file.stat().st_size > kinds.get(kind, (0,))[0]:
                    kinds[kind] = (file.stat().st_size, file.relative_to(whole))
        self.assertIn("MANIFEST", kinds)
        self.assertIn(".log", kinds)
        for kind, (size, name) in kinds.items():
            with self.subTest(kind=kind):
                shutil.rmtree(node.data)
                shutil.copytree(whole, node.data)
                with open(node.data / name, "r+b") as f:
                    f.seek(size // 2)
                    byte = f.read(1)[0]
                    f.seek(size // 2)
                    f.write(bytes([byte ^ 0xFF]))
                said = self.look_at_everything(node, customers)
                if kind != ".sst":  # read only where it is needed, and the rest may be of use to nobody
                    self.assertIn("storage", said)
                    self.assertIn(str(node.data), said)
        shutil.rmtree(node.data)
        shutil.copytree(whole, node.data)
        self.assertEqual(self.look_at_everything(node, customers), "")  # undamaged, it has everything

    def look_at_everything(self, node, customers):
        """Starts the node and reads what it has, which must be all there is. What it said when it ended; else nothing."""
        before = len(node.log_text())
        node.start(wait=False)
        try:
            wait_for(lambda: not node.running or node.is_ready(), 30, "it serves or ends")
            if node.running:
                self.assertEqual(node.stats("show")["lastTicket"], 120)
                for c in customers:
                    c.http.close()
                    self.assertEqual(c.http.get(c.base + "/queue", c.token).status, 200)
                self.assert_adds_up(node, "show")
                return ""
        except (OSError, http.client.HTTPException):
            wait_for(lambda: not node.running, 10, "it ends")
        finally:
            node.kill()
        self.assertNotEqual(node.process.returncode, 0)
        return node.log_text()[before:]

    def test_a_lost_log_is_missed(self):
        """A log file that is gone is no clean start: what was acknowledged in it is missing."""
        node = self.fresh().start()
        node.put_event(definition("show"))
        Customer(node, "show").join()
        node.kill()
        logs = [f for f in node.data.rglob("*.log") if f.stat().st_size > 0]
        self.assertTrue(logs)
        for f in logs:
            f.unlink()
        self.assert_refuses_to_start(node, "storage")


class Stopping(PersistenceCase):
    def test_sigterm_stops_within_seconds_and_loses_nothing(self):
        node = self.fresh().start()
        node.put_event(definition("show", rows=0, area=100_000))
        acknowledged, stop = [], threading.Event()

        def joiner(number):
            client, n = node.client(timeout=10), 0
            while not stop.is_set():
                try:
                    answer = client.post("/api/v1/events/show/queue", {"userId": f"u{number}-{n}"})
                except OSError:
                    return
                if answer.status in (200, 202):
                    acknowledged.append((answer.json["token"], answer.json["ticketNumber"]))
                n += 1

        threads = [threading.Thread(target=joiner, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        wait_for(lambda: len(acknowledged) > 200, 30, "some load")
        began = time.monotonic()
        code = node.stop(15)
        took = time.monotonic() - began
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(code, 0)
        self.assertLess(took, 10)
        self.assertIn("node.stopped", node.log_text())
        node.start()
        client = node.client()
        for token, ticket in acknowledged:
            self.assertEqual(client.get("/api/v1/events/show/queue", token).json["ticketNumber"], ticket)
        self.assert_adds_up(node, "show")

    def test_a_frozen_node_goes_on(self):
        node = self.fresh().start()
        node.put_event(definition("show", admission={"maxActiveUsers": 1}))
        Customer(node, "show").enter()
        waiting = Customer(node, "show")
        before = waiting.join()
        node.pause()
        time.sleep(3)
        node.resume()
        self.assertEqual(waiting.join()["ticketNumber"], before["ticketNumber"])
        self.assertEqual(waiting.http.get(waiting.base + "/queue", waiting.token).json["position"], 1)


class Full(PersistenceCase):
    """Nothing more fits on the disk: the node stops and says so, and comes back with all that it acknowledged."""

    def fill(self, node):
        """Joins until the node is gone; what it acknowledged."""
        acknowledged = []
        client = node.client(timeout=10)
        for n in range(200_000):
            try:
                answer = client.post("/api/v1/events/show/queue", {"userId": f"{n}-" + "x" * 100})
            except (OSError, ValueError):
                break
            except Exception:  # noqa: BLE001 - half an answer
                break
            if answer.status in (200, 202):
                acknowledged.append((answer.json["token"], answer.json["ticketNumber"]))
            elif answer.status >= 500:
                self.assertEqual(answer.status, 503, answer)
        code = wait_for(lambda: node.process.poll() is not None and [node.process.poll()], 30, "the node stops")[0]
        self.assertNotEqual(code, 0)
        self.assertIn("storage", node.log_text())
        return acknowledged

    def assert_all_there(self, node, acknowledged):
        self.assertGreater(len(acknowledged), 100)
        client = node.client()
        for token, ticket in acknowledged:
            answer = client.get("/api/v1/events/show/queue", token)
            self.assertEqual((answer.status, answer.json.get("ticketNumber")), (200, ticket), answer)
        self.assert_adds_up(node, "show")
        Customer(node, "show").join()

    def test_no_space_left(self):
        node = self.fresh()
        mount = self.make_folder("small")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount)], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"mounting is not allowed here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(mount)])
        self.addCleanup(node.kill)
        node.data = mount / "node"
        node.start()
        node.put_event(definition("show", rows=0, area=1000, admission={"maxActiveUsers": 1}))
        ballast = mount / "ballast"
        room = shutil.disk_usage(mount).free - 1_500_000
        ballast.write_bytes(b"\0" * room)
        acknowledged = self.fill(node)
        self.assertIn("space", node.log_text().lower())
        ballast.unlink()
        node.start()
        self.assert_all_there(node, acknowledged)

    def test_files_may_not_grow(self):
        node = self.fresh()
        node.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)))
        node.put_event(definition("show", rows=0, area=1000, admission={"maxActiveUsers": 1}))
        acknowledged = self.fill(node)
        node.start()
        self.assert_all_there(node, acknowledged)


if __name__ == "__main__":
    main()
