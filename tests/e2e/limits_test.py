"""Too slow, too many, too much at once: refused in words, and over when the trouble is over."""
import contextlib
import resource
import socket
import struct
import threading
import time

from harness import Case, Customer, EventStream, definition, main, parse_answer, read_all, wait_for

QUEUE = "/api/v1/events/show/queue"
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def dial(port, timeout=30):
    return socket.create_connection(("127.0.0.1", port), timeout)


def drip(port, begin, seconds):
    """Sends `begin` and then a byte every fifth of a second; what came back, and when."""
    began = time.monotonic()
    with dial(port, 0.2) as s:
        s.sendall(begin)
        got = b""
        while time.monotonic() - began < seconds:
            try:
                chunk = s.recv(65536)
                if not chunk:
                    break
                got += chunk
            except socket.timeout:
                with contextlib.suppress(OSError):
                    s.sendall(b"a")
            except ConnectionResetError:
                break
        return got, time.monotonic() - began


class Slow(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node = cls.make_node().start()
        cls.node.put_event(definition("show", rows=40, seats=100))

    def test_the_slow_are_cut_off_and_the_others_do_not_notice(self):
        port = self.node.port
        head = f"POST {QUEUE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        results = {}
        tasks = {"header": (b"GET /healthz HTTP/1.1\r\nX: ", 15), "body": (head.encode() + b"{", 20)}

        def run(name, begin, seconds):
            results[name] = drip(port, begin, seconds)

        threads = [threading.Thread(target=run, args=(name, *how)) for name, how in tasks.items() for _ in range(20)]
        for t in threads:
            t.start()
        silent = [dial(port) for _ in range(300)]
        healthy, worst = self.node.client(), 0
        while any(t.is_alive() for t in threads):
            began = time.monotonic()
            self.assertEqual(healthy.get("/api/v1/events/show").status, 200)
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.01)
        for name in tasks:
            answer, rest = parse_answer(results[name][0])
            self.assert_problem(answer, 408, "REQUEST_TIMEOUT")
            self.assertEqual((answer.headers["Connection"], rest), ("close", b""))
            self.assertLess(results[name][1], tasks[name][1] - 2)
        self.assertLess(worst, 2)
        for s in silent:  # connected and said nothing: closed long ago
            s.settimeout(5)
            self.assertIn(read_all(s)[:12], (b"", b"HTTP/1.1 408"))
            s.close()

    def test_what_comes_after_a_refusal_is_nobodys(self):
        """A request that took too long was refused: its rest makes nothing of it."""
        self.node.put_event(definition("calm"))
        head = (b"POST /api/v1/events/calm/queue HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: 4014\r\n\r\n")
        body = b'{"userId":"a"}' + b" " * 4000
        lines = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 80) for n in range(33)) + b"X-Last: a"
        held = []
        for first, rest in ((head + body[:10], [body[10:]]), (head + body[:3000], [body[3000:], b"x" * 9000]),
                            (lines, [b"b" * 2000, b"c" * 4096, b"d" * 9000]), (lines, [b"\r\n\r\n" + GET * 10])):
            s = dial(self.node.port)
            s.sendall(first)
            held.append((s, rest))
        time.sleep(10.8)
        for s, rest in held:
            answer, _ = parse_answer(s.recv(65536))
            self.assertEqual(answer.status, 408, answer)
            for part in rest:
                try:
                    s.sendall(part)
                except OSError:
                    break
                time.sleep(0.05)
            try:
                self.assertEqual(read_all(s), b"")
            except ConnectionError:
                pass
            s.close()
        self.assertEqual(self.node.client().get("/healthz").status, 200)
        self.assertEqual(self.node.stats("calm")["lastTicket"], 0)

    def test_who_does_not_read_is_cut_off(self):
        with dial(self.node.port) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            want = b"GET /api/v1/events/show/blocks/A HTTP/1.1\r\nHost: a\r\n\r\n"
            before = self.open_connections()
            s.sendall(want * 200)
            wait_for(lambda: self.open_connections() < before, 30, "the connection is given up", 0.5)
        self.assertEqual(self.node.client().get("/healthz").status, 200)

    def open_connections(self):
        return self.node.metric("sluice_http_connections")

    def test_connections_broken_off_in_the_middle(self):
        self.node.put_event(definition("still"))
        head = (b"POST /api/v1/events/still/queue HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: 14\r\n\r\n")
        whole = head + b'{"userId":"a"}'
        for cut in range(0, len(whole) - 1, 3):
            for reset in (False, True):
                with dial(self.node.port) as s:
                    if reset:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.sendall(whole[:cut])
        self.assertEqual(self.node.client().get("/healthz").status, 200)
        self.assertEqual(self.node.stats("still")["lastTicket"], 0)

    def test_errors_leave_the_connection_open(self):
        with dial(self.node.port) as s:
            for path, status in (("/nothing", 404), ("/healthz", 200), (QUEUE, 401), ("/api/v1/events", 200)):
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                answer, rest = parse_answer(s.recv(65536))
                self.assertEqual((answer.status, rest, answer.headers["Connection"]), (status, b"", None))

    def test_pipelining_is_answered_in_order_and_bounded(self):
        with dial(self.node.port) as s:
            s.sendall(b"".join(f"GET /x{n} HTTP/1.1\r\nHost: a\r\nX-Request-ID: n{n}\r\n\r\n".encode() for n in range(300)) +
                      b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
            data = read_all(s)
        for n in range(300):
            answer, data = parse_answer(data)
            self.assertEqual((answer.status, answer.json["requestId"]), (404, f"n{n}"))
        answer, data = parse_answer(data)
        self.assertEqual((answer.status, data), (200, b""))
        # Who never reads does not fill the node's memory: it stops reading, too.
        with dial(self.node.port) as s:
            s.settimeout(3)
            sent = 0
            with contextlib.suppress(socket.timeout, OSError):
                while sent < 64 << 20:
                    sent += s.send(GET * 1000)
            self.assertLess(sent, 64 << 20)


class Many(Case):
    def start(self, *options, files=None):
        set_limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
        node = self.make_node(*options, name=self.id().rsplit(".", 1)[1])
        node.start(preexec_fn=set_limit)
        self.addCleanup(node.kill)
        node.put_event(definition("show", admission={"maxActiveUsers": 2, "maxWaitingUsers": 5}))
        return node

    def test_too_many_connections(self):
        node = self.start("--max-connections", "20")
        taken = []
        for _ in range(40):
            s = dial(node.port, 5)
            s.sendall(GET)
            answer, _ = parse_answer(s.recv(65536))
            taken.append((s, answer))
        served = [a for _, a in taken if a.status == 200]
        turned_away = [a for _, a in taken if a.status != 200]
        self.assertTrue(15 <= len(served) <= 20, len(served))
        for answer in turned_away:
            self.assert_problem(answer, 503, "TOO_MANY_CONNECTIONS")
        for s, _ in taken:
            s.close()
        wait_for(lambda: self.works(node), 10, "served again")

    def test_streams_count_as_connections(self):
        node = self.start("--max-connections", "20")
        streams, refused = [], 0
        for _ in range(40):
            stream = EventStream(node.port, "/api/v1/events/show/status/stream")
            streams.append(stream)
            refused += stream.answer.status == 503
        self.assertGreaterEqual(refused, 20)
        for stream in streams:
            stream.close()
        wait_for(lambda: self.works(node), 10, "served again")

    def works(self, node):
        try:
            return node.client(timeout=5).get("/api/v1/events/show").status == 200
        except OSError:
            return False

    def test_no_file_descriptors_left(self):
        node = self.start("--max-connections", "100000", files=192)
        inside = Customer(node, "show").enter()  # its connection is open already
        crowd = []
        for _ in range(300):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", node.port))
            crowd.append(s)
        self.assertIsNotNone(inside.hold("A-1-1"))  # those inside go on
        self.assertTrue(node.running)
        for s in crowd:
            s.close()
        wait_for(lambda: self.works(node), 20, "accepts again")
        self.assertIsNotNone(inside.hold("A-1-2"))
        node.stop()
        node.start()
        seats = {s["id"]: s["status"] for s in node.client().get("/api/v1/events/show/blocks/A").json["seats"]}
        self.assertEqual((seats["A-1-1"], seats["A-1-2"]), ("HELD", "HELD"))

    def test_a_full_queue(self):
        node = self.start("--max-requests-in-flight", "1")
        node.put_event(definition("rush"))
        answers, lock = [], threading.Lock()

        def rush(number):
            client = node.client()
            for n in range(60):
                answer = client.post("/api/v1/events/rush/queue", {"userId": f"u{number}-{n}"})
                with lock:
                    answers.append(answer)

        threads = [threading.Thread(target=rush, args=(n,)) for n in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        refused = [a for a in answers if a.status not in (200, 202)]
        self.assertTrue(refused, "never full")
        for answer in refused:
            self.assert_problem(answer, 503, "OVERLOADED")
        # A refusal had no effect, and everything accepted had one.
        wait_for(lambda: node.stats("rush")["lastTicket"] == len(answers) - len(refused), 10, "as many tickets as answers")

    def test_a_full_line(self):
        node = self.start()
        answers = [node.client().post(QUEUE, {"userId": f"u{n}"}) for n in range(10)]
        self.assertEqual([a.status for a in answers], [200] * 2 + [202] * 5 + [503] * 3)
        told = self.assert_problem(answers[-1], 503, "QUEUE_CAPACITY_EXCEEDED")
        self.assertEqual(int(answers[-1].headers["Retry-After"]) * 1000, told["retryAfterMs"])
        self.assertEqual(node.client().post(QUEUE, {"userId": "u3"}).status, 202)  # who is in line stays in line


class Memory(Case):
    """A node whose memory is nearly used up: nobody new gets into a line, everybody who is in one is served to the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node(provider=cls.provider).start()
        cls.node.put_event(definition("show", admission={"maxActiveUsers": 1}))

    def restart(self, limit, *customers):
        """With so many MiB; what the log said from then on is told by `said`."""
        for c in customers:
            c.http.close()
        self.assertEqual(self.node.stop(), 0)
        self.logged = len(self.node.log_text())
        self.node.options = ("--memory-limit-mib", str(limit))
        self.node.start()

    def said(self):
        return [line for line in self.node.log_text()[self.logged:].splitlines() if "node.memory" in line]

    def try_join(self, user):
        return self.node.client().post(QUEUE, {"userId": user})

    def test_no_new_joins_and_the_line_moves_on(self):
        inside, waiting = Customer(self.node, "show").enter(), Customer(self.node, "show")
        self.assertEqual(waiting.join()["state"], "WAITING")
        self.restart(1, inside, waiting)
        before = self.node.stats("show")["lastTicket"]
        for n in range(3):
            self.assert_problem(self.try_join(f"new-{n}"), 503, "OVERLOADED")
        said = self.said()
        self.assertEqual(len(said), 1, said)  # once, not with every look
        self.assertRegex(said[0], r"warn.*node\.memory used-mib=\d+ limit-mib=1 joins=refused")

        answer = waiting.http.get(waiting.base + "/queue", waiting.token)
        self.assertEqual((answer.status, answer.json["state"], answer.json["position"]), (200, "WAITING", 1))
        inside.await_state(inside.pay(inside.hold("A-1-1")), "CONFIRMED")  # its place is free then
        waiting.claim()
        held = waiting.hold("A-1-2")
        self.assertEqual(waiting.http.post(f"{waiting.base}/holds/{held}/extend", {}, waiting.admission, "x").status, 200)
        waiting.await_state(waiting.pay(held), "CONFIRMED")
        self.assertEqual(self.node.client().get("/api/v1/events/show/availability").status, 200)
        self.assert_problem(self.try_join("new-3"), 503, "OVERLOADED")
        self.assertEqual(self.node.stats("show")["lastTicket"], before)

        self.restart(1 << 20)
        self.assertIn(self.try_join("new-0").status, (200, 202))
        self.assertEqual(self.said(), [])
        self.assert_adds_up(self.node, "show")


if __name__ == "__main__":
    main()
