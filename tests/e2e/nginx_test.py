"""nginx, as cluster/samples/nginx.conf has it, in front of the sample of three nodes: who is asked again, and that nobody notices
when a node dies."""
import http.client
import http.server
import json
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import threading
import time

from cluster_load_test import Load
from harness import SKIPPED, Case, Customer, Node, definition, free_port, main, wait_for
from history_checks import HistoryChecks
from programs import PROGRAMS
from samples import SAMPLES, Sample
from shopper import History, Shopper

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin")
OUT_SECONDS = 3.2       # a node that failed is asked again after 2, as nginx counts: in whole seconds, none of them begun
BETWEEN_FAILURES = 1.6  # then no more than two of three are out at a time


class Front(Node):
    """nginx with the sample's file; only addresses and files are changed. It also listens in the clear, for clients that know no
    TLS."""

    def __init__(self, folder, nodes):
        super().__init__(folder, None)
        self.tls_port, self.redirect_port = free_port(), free_port()
        self.config = folder / "nginx.conf"
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(folder / "tls"), "front"], check=True,
                       capture_output=True)
        self.config.write_text(self.here((SAMPLES / "nginx.conf").read_text(), folder, nodes))

    def here(self, text, folder, nodes):
        def change(before, after):
            nonlocal text
            text, count = re.subn(before, str(after), text)
            assert count > 0, f"{before} is not in the sample"
        change(r"user www-data;", "user root;")
        change(r"/run/nginx\.pid", folder / "nginx.pid")
        change(r"/var/log/nginx/error\.log", folder / "error.log")
        change(r"/etc/nginx/sluice\.crt", folder / "tls/front.crt")
        change(r"/etc/nginx/sluice\.key", folder / "tls/front.key")
        change(r"listen 80;", f"listen 127.0.0.1:{self.redirect_port};")
        change(r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.tls_port} ssl http2;\n    listen 127.0.0.1:{self.port};")
        for number, (host, port) in enumerate(nodes, 1):
            change(rf"10\.0\.0\.1{number}:8080", f"{host}:{port}")
        own = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return text.replace("http {\n", "http {\n" + own, 1)

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", NGINX, "-c", self.config, "-p", self.config.parent, "-e",
                                             self.log, "-g", "daemon off;"], stdout=log, stderr=log)
        wait_for(lambda: not self.running or self.listens(), 20, "nginx listens")
        assert self.running, self.log_text()
        return self

    def listens(self):
        try:
            return self.client(timeout=2).get("/metrics").status == 404
        except OSError:
            return False

    def kill(self):
        self.process.terminate()  # its workers must not be left behind
        self.process.wait(20)

    def secure(self, timeout=20):
        context = ssl.create_default_context(cafile=self.config.parent / "tls/ca.crt")
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", self.tls_port, timeout=timeout, context=context)


# ---- rules: nodes that do as they are told -------------------------------------------------------------------------------


class Actor(http.server.ThreadingHTTPServer):
    """A node that answers request X-Id by the next word of its X-Plan, whichever actor is asked: a status, `cut` or `silent`."""

    daemon_threads = True
    seen = {}  # by X-Id: (actor, method, path, headers) of each try
    lock = threading.Lock()

    def __init__(self):
        super().__init__(("127.0.0.1", free_port()), Part)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # the other side went away


class Part(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def play(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with Actor.lock:
            tries = Actor.seen.setdefault(self.headers["X-Id"], [])
            tries.append((self.server, self.command, self.path, self.headers))
            words = (self.headers.get("X-Plan") or "200").split(",")
            word = words[min(len(tries), len(words)) - 1]
        if word == "silent":
            time.sleep(10)
        if word == "cut":
            self.close_connection = True
            self.connection.shutdown(2)
            return
        status = 200 if word == "silent" else int(word)
        body = json.dumps({"code": "FROM_NODE", "tries": len(tries)}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PATCH = play

    def log_message(self, *_):
        pass


class Rules(Case):
    EVENT = "/api/v1/events/show"
    MAY_REPEAT = [("GET", EVENT + "/status", None), ("POST", EVENT + "/holds", "k-1"), ("POST", EVENT + "/holds/h/payment", "k-2"),
                  ("POST", EVENT + "/holds/h/extend", "k-3"), ("POST", EVENT + "/queue", None), ("POST", EVENT + "/queue/admission", None),
                  ("DELETE", EVENT + "/holds/h", None), ("GET", EVENT + "/queue?waitMs=5000", None), ("GET", EVENT + "/queue/stream", None)]
    ONCE = [("POST", EVENT + "/holds/h/extend", None), ("POST", EVENT + "/queues", None), ("PATCH", "/api/v1/x", None)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.actors = [Actor() for _ in range(3)]
        for actor in cls.actors:
            cls.addClassCleanup(actor.server_close)
            cls.addClassCleanup(actor.shutdown)
        cls.front = Front(cls.make_folder("nginx"), [a.server_address for a in cls.actors]).start()
        cls.programs.append(cls.front)

    def ask(self, method, path, key=None, plan="200", **headers):
        """The answer, and what the actors saw of it."""
        id = secrets.token_hex(4)
        fields = {"X-Id": id, "X-Plan": plan, **headers}
        if key:
            fields["Idempotency-Key"] = key
        body = {} if method in ("POST", "PATCH") else None
        answer = self.front.client().request(method, path, body, headers=fields)
        return answer, Actor.seen.get(id, [])

    def assert_nobody_answered(self, answer):
        told = self.assert_problem_of_nginx(answer)
        self.assertEqual(told["code"], "OVERLOADED")

    def assert_problem_of_nginx(self, answer):
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (503, "application/problem+json"), answer)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        return answer.json

    def test_what_may_be_repeated_is(self):
        for method, path, key in self.MAY_REPEAT:
            with self.subTest(method=method, path=path, key=key):
                answer, seen = self.ask(method, path, key, "cut,200")
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(len({s[0] for s in seen}), 2, "another node is asked")
                self.assertEqual({(s[1], s[2], s[3]["Idempotency-Key"]) for s in seen}, {(method, path, key)})
            time.sleep(BETWEEN_FAILURES)

    def test_what_may_not_is_not(self):
        for method, path, key in self.ONCE:
            with self.subTest(method=method, path=path):
                answer, seen = self.ask(method, path, key, "cut,200")
                self.assertEqual(len(seen), 1)
                self.assert_nobody_answered(answer)
            time.sleep(BETWEEN_FAILURES)

    def test_a_node_that_is_starting_is_passed_over(self):
        for method, path, key in self.MAY_REPEAT:
            with self.subTest(method=method, path=path, key=key):
                answer, seen = self.ask(method, path, key, "503,200")
                self.assertEqual((answer.status, len(seen)), (200, 2), answer)
        for method, path, key in self.ONCE:
            with self.subTest(method=method, path=path):
                answer, seen = self.ask(method, path, key, "503,200")
                self.assertEqual((answer.status, answer.headers["Retry-After"], len(seen)), (503, "7", 1), answer)
                self.assertEqual(answer.json["code"], "FROM_NODE")

    def test_a_503_takes_no_node_out(self):
        time.sleep(OUT_SECONDS)
        for _ in range(12):
            answer, seen = self.ask("GET", self.EVENT + "/status", plan="503")
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "7"), answer)
            self.assertLessEqual(len(seen), 4)
        asked = [self.ask("GET", self.EVENT + "/status")[1] for _ in range(12)]
        self.assertEqual({len(seen) for seen in asked}, {1})
        self.assertEqual(len({seen[0][0] for seen in asked}), 3, "all are still asked")

    def test_patience(self):
        """Ten seconds of silence are too much for a request, and nothing for a long poll, a stream or a wait."""
        told = {}
        ask = lambda name, *what, **more: told.update({name: self.ask(*what, **more)})
        asking = [threading.Thread(target=ask, args=a, kwargs={"plan": "silent,200", **k}) for a, k in [
            (("plain", "GET", self.EVENT + "/status"), {}), (("poll", "GET", self.EVENT + "/queue?waitMs=9000"), {}),
            (("stream", "GET", self.EVENT + "/queue/stream"), {}),
            (("wait", "POST", self.EVENT + "/holds/h/payment", "k-9"), {"Prefer": "wait=9"})]]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        self.assertEqual({name: (answer.status, len(seen)) for name, (answer, seen) in told.items()},
                         {"plain": (200, 2), "poll": (200, 1), "stream": (200, 1), "wait": (200, 1)})
        time.sleep(BETWEEN_FAILURES)

    def test_what_the_nodes_learn_of_the_client(self):
        id = secrets.token_hex(4)
        line = self.front.secure()
        line.request("GET", "/api/v1/events", headers={"Host": "tickets.example", "X-Forwarded-For": "6.6.6.6", "X-Id": id,
                                                       "X-Forwarded-Proto": "http", "X-Request-ID": "mine-1"})
        self.assertEqual(line.getresponse().status, 200)
        line.close()
        fields = Actor.seen[id][0][3]
        self.assertEqual({name: fields[name] for name in ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-ID")},
                         {"Host": "tickets.example", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https",
                          "X-Forwarded-Host": "tickets.example", "X-Request-ID": "mine-1"})

    def test_operators_do_not_come_this_way(self):
        for path in ("/admin/v1/cluster", "/metrics", "//admin/v1/cluster", "/%61dmin/v1/keys", "/api/../admin/v1/keys", "/x/..//metrics"):
            answer, seen = self.ask("GET", path)
            self.assertEqual((answer.status, seen), (404, []), path)

    def test_in_the_clear_one_is_sent_to_https(self):
        line = http.client.HTTPConnection("127.0.0.1", self.front.redirect_port, timeout=10)
        line.request("POST", "/api/v1/events?x=1", headers={"Host": "tickets.example"})
        answer = line.getresponse()
        self.assertEqual((answer.status, answer.headers["Location"]), (308, "https://tickets.example/api/v1/events?x=1"))
        line.close()

    def test_too_much_is_refused(self):
        id = secrets.token_hex(4)
        answer = self.front.client().request("POST", self.EVENT + "/queue", raw=b"x" * 70_000, headers={"X-Id": id})
        self.assertEqual((answer.status, Actor.seen.get(id)), (413, None))


# ---- real nodes ----------------------------------------------------------------------------------------------------------


class Visitor(Shopper):
    """nginx may have asked twice: of a release that took effect the first time, the second says that the hold is gone."""

    def sure(self, name, *more, **options):
        done = super().sure(name, *more, **options)
        if name == "release" and done["status"] == 404:
            done["tries"] += 1
        return done


def answers(node):
    """How many requests it has answered well."""
    return sum(float(line.split()[-1]) for line in node.client().get("/metrics").body.decode().splitlines()
               if line.startswith("sluice_http_answers_total") and "2" in line.split("}")[0])


class FrontCase(Case):
    ACTIVE_MAX = 1000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.sample = Sample(cls.make_folder("three"), "three-nodes", cls.provider)
        cls.programs += cls.sample.nodes
        cls.sample.start()
        cls.front = Front(cls.make_folder("nginx"), [(n.host, n.port) for n in cls.sample.nodes]).start()
        cls.programs.append(cls.front)
        cls.node = cls.sample[1]
        cls.node.put_event(definition("show", rows=40, seats=50, area=5000, price=1000, keepActiveAfterBooking=True,
                                      admission={"maxActiveUsers": cls.ACTIVE_MAX}))
        for node in cls.sample.nodes:
            wait_for(lambda: node.client().get("/api/v1/events/show").status == 200, 10, f"{node.title} knows of it")


class Nobody(HistoryChecks, FrontCase):
    """Customers buy through nginx while each node is killed, and each restarted."""

    ACTIVE_MAX = 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.history = History()
        cls.phases = [("calm", time.monotonic())]
        load = Load([cls.front], cls.history, [Visitor] * 6)
        with load:
            time.sleep(2)
            for how in ("kill", "stop"):
                for node in cls.sample.nodes:
                    cls.phases.append((f"{how} {node.title}", time.monotonic()))
                    getattr(node, how)()
                    time.sleep(1.5)
                    node.start()
                    cls.sample.await_replicated(3)
                    time.sleep(1)
            cls.phases.append(("calm", time.monotonic()))
            time.sleep(1)
        load.check()

    def test_nobody_noticed(self):
        told = [(when, what, repr(why)) for when, _, what, why, _ in self.history.failures]
        self.assertEqual(told, [], self.phases)
        self.assertGreater(len(self.history.operations), 200)

    def test_nobody_waited_long(self):
        slow = [(o["told"] - o["asked"], o["name"], o["asked"]) for o in self.history.operations if o["name"] != "settle"]
        self.assertLess(max(slow), (8,), (sorted(slow)[-5:], self.phases))  # nobody waited for a timeout of nginx


class BridgesInFront(HistoryChecks, FrontCase):
    """Customers buy through nginx from bridges alone: one is killed, one restarted, one removed and a new one put in its place."""

    ACTIVE_MAX = 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs += [cls.sample.add_bridge() for _ in range(3)]
        cls.front.kill()
        cls.front = Front(cls.make_folder("front"), [(b.host, b.port) for b in cls.sample.bridges]).start()
        cls.programs.append(cls.front)
        cls.history = History()
        load = Load([cls.front], cls.history, [Visitor] * 6)
        with load:
            time.sleep(2)
            cls.bridges_come_and_go()
            cls.sample[2].kill()  # behind them
            time.sleep(2)
            cls.sample[2].start()
            time.sleep(1)
        load.check()

    @classmethod
    def bridges_come_and_go(cls):
        first, second, third = cls.sample.bridges
        for bridge, how in ((first, "kill"), (second, "stop"), (third, "kill")):
            getattr(bridge, how)()
            time.sleep(OUT_SECONDS)
            bridge.start()
            time.sleep(OUT_SECONDS)
        cls.sample[1].admin("POST", "/cluster/actions/drain", {"node": "b3"})
        third.stop()
        cls.sample[1].admin("POST", "/cluster/actions/remove", {"node": "b3"})
        time.sleep(1)

    def test_nobody_noticed(self):
        self.assertEqual([(what, repr(why)) for _, _, what, why, _ in self.history.failures], [])
        self.assertGreater(len(self.history.operations), 200)

    def test_they_carried_it_and_hold_nothing(self):
        for bridge in self.sample.bridges[:2]:
            self.assertGreater(answers(bridge), 20, bridge.title)
        cluster = self.sample[1].admin("GET", "/cluster")
        told = {n["name"]: n for n in cluster["nodes"]}
        self.assertEqual({told[b]["role"] for b in ("b1", "b2")}, {"BRIDGE"})
        self.assertEqual({v for p in cluster["partitions"] for v in p["voters"]}, {told[f"n{k}"]["id"] for k in (1, 2, 3)})
        self.assertNotIn("b3", [n["name"] for n in cluster["nodes"] if n["state"] != "REMOVED"])


class Through(FrontCase):
    def answers(self):
        return [answers(n) for n in self.sample.nodes]

    def test_requests_spread(self):
        """As soon as nginx asks every node again: another test may just have killed one."""
        def is_even():
            before = self.answers()
            for _ in range(90):
                self.front.client().get("/api/v1/events/show/status")
            spread = [b - a for a, b in zip(before, self.answers())]
            return all(s >= 20 for s in spread)
        wait_for(is_even, 30, "requests spread over all nodes", 1)

    def test_ready_while_anybody_is(self):
        """Not while a partition has no leader, since then no node says that it is ready."""
        nine_times = lambda: all(self.front.is_ready() for _ in range(9))
        wait_for(nine_times, 20, "the cluster is ready")
        self.sample[2].kill()
        try:
            wait_for(nine_times, 20, "it is, without a node", 0.1)
        finally:
            self.sample[2].start()

    def test_pages_over_tls(self):
        line = self.front.secure()
        line.request("GET", "/")
        answer = line.getresponse()
        self.assertEqual((answer.status, b"<html" in answer.read()), (200, True))
        line.close()

    def test_streams_pass_as_they_come(self):
        stream = self.front.stream("/api/v1/events/show/seats/stream")
        self.addCleanup(stream.close)
        stream.next()
        began = time.monotonic()
        Customer(self.front, "show").enter().hold("A-40-1")
        stream.until(lambda e: {"id": "A-40-1", "status": "HELD"} in e["data"]["seats"])
        self.assertLess(time.monotonic() - began, 3)

    def test_a_stream_goes_on_at_another_node(self):
        path = "/api/v1/events/show/seats/stream"
        time.sleep(OUT_SECONDS)
        streams = [self.front.stream(path) for _ in range(6)]
        last = [s.next()["id"] for s in streams]
        victim = max(self.sample.nodes, key=self.streams_of)
        held = self.streams_of(victim)
        self.assertIn(held, range(1, 6), "every node has its share")
        victim.kill()
        try:
            Customer(self.front, "show").enter().hold("A-39-1")
            ended = 0
            for stream, id in zip(streams, last):
                event = self.next_of(stream)
                stream.close()
                if event is None:
                    ended += 1
                    event = self.next_of(self.front.stream(path, Last_Event_ID=id))
                self.assertIn({"id": "A-39-1", "status": "HELD"}, event["data"]["seats"])
            self.assertEqual(ended, held)
        finally:
            victim.start()

    def streams_of(self, node):
        told = re.search(r"^sluice_http_streams (\S+)$", node.client().get("/metrics").body.decode(), re.M)
        return int(float(told[1]))

    def next_of(self, stream):
        """None where it ended, in order or not."""
        try:
            return stream.next()
        except (OSError, http.client.HTTPException):
            return None

    def test_a_frozen_node_is_only_slow(self):
        victim = self.sample[3]
        c = Customer(self.front, "show").enter()
        victim.pause()
        try:
            told, asking = [], []
            for n in range(8):
                client = self.front.client(timeout=30)
                body = {"seats": [f"A-38-{n + 1}"]}
                asking.append(threading.Thread(target=lambda http=client, body=body, n=n: told.append(
                    http.post(c.base + "/holds", body, c.admission, f"frozen-{n}").status)))
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join()
            self.assertEqual(told, [201] * 8)
        finally:
            victim.resume()
            wait_for(victim.is_ready, 20, "it is back")


if __name__ == "__main__":
    if NGINX is None:
        print("SKIPPED: nginx is not here (package nginx-light)")
        sys.exit(SKIPPED)
    main()
