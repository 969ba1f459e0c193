"""What no honest client sends: each gets its 4xx as a problem with a stable code, and leaves the node as it was."""
import json
import secrets
import shutil
import socket
import subprocess

from harness import Case, Customer, definition, exchange, main, parse_answer, read_all, wait_for

HOST = "Host: sluice\r\n"
QUEUE = "/api/v1/events/show/queue"


def request(line, *fields, body=b""):
    return (line + "\r\n" + HOST + "".join(f + "\r\n" for f in fields) + "\r\n").encode("latin-1") + body


def post(body, *fields, path=QUEUE, length=None):
    return request(f"POST {path} HTTP/1.1", "Content-Type: application/json",
                   f"Content-Length: {len(body) if length is None else length}", *fields, body=body)


class HttpCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node = cls.make_node().start()
        cls.node.put_event(definition("show", area=10, limitPerUser=8, admission={"maxActiveUsers": 100}))
        cls.inside = Customer(cls.node, "show", "inside").enter()
        cls.before = cls.state()

    @classmethod
    def state(cls):
        """All that a request could have changed."""
        stats = cls.node.stats("show")
        return {k: stats[k] for k in ("lastTicket", "waitingUsers", "activeUsers", "held", "confirmed", "available")}

    def tearDown(self):
        self.assertTrue(self.node.running, self.node.log_text()[-500:])
        self.assertEqual(self.state(), self.before)

    def send(self, data, **how):
        answer, rest = parse_answer(exchange(self.node.port, data, **how))
        return answer, rest

    def assert_refused(self, data, status, code, closes=True):
        answer, rest = self.send(data)
        self.assertIsNotNone(answer, f"no answer to {data[:80]!r}")
        self.assert_problem(answer, status, code)
        if closes:
            self.assertEqual(answer.headers["Connection"], "close", answer)
            self.assertEqual(rest, b"")


class Framing(HttpCase):
    """What can not be told apart from the next request: answered, and the connection closed."""

    def test_request_lines(self):
        for line in ("GARBAGE", "\x00\x01\x02\x03", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/9.9", "GET / HTP/1.1",
                     "G\x00T / HTTP/1.1", "GET /\x00 HTTP/1.1", "GET / HTTP/1.1 extra", "GET relative HTTP/1.1",
                     "GET http://elsewhere/ HTTP/1.1", "G(T / HTTP/1.1", "GET /\xff HTTP/1.1", "GET /?a=\xc3\xbc HTTP/1.1"):
            with self.subTest(line=line):
                self.assert_refused(request(line), 400, "BAD_REQUEST")
        for data in (b"GET / HTTP/1.1\nHost: a\n\n", b"GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", bytes(range(256)) * 4):
            with self.subTest(data=data[:40]):
                self.assert_refused(data, 400, "BAD_REQUEST")
        self.assert_refused(request("CONNECT elsewhere:443 HTTP/1.1"), 501, "NOT_IMPLEMENTED")

    def test_header_fields(self):
        for field in ("No colon here", "Space : before", " Leading: space", "Na\x00me: x", "Name: va\x00lue", ": empty",
                      "X: a\r\n folded", "Host: another", "N\xe4me: x", "X: a\rb"):
            with self.subTest(field=field):
                self.assert_refused(request("GET /healthz HTTP/1.1", field), 400, "BAD_REQUEST")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST")  # no Host

    def test_lengths(self):
        for value in ("-1", "+5", "0x5", "5 5", "5,5", "", "abc", "99999999999999999999999", "5\r\nContent-Length: 5",
                      "5\r\nContent-Length: 6"):
            with self.subTest(length=value):
                self.assert_refused(request(f"POST {QUEUE} HTTP/1.1", "Content-Length: " + value, body=b"{}   "), 400,
                                    "BAD_REQUEST")

    def test_smuggling(self):
        chunked = "Transfer-Encoding: chunked"
        for fields in ((chunked, "Content-Length: 5"), ("Content-Length: 5", chunked), (chunked, chunked)):
            with self.subTest(fields=fields):
                self.assert_refused(request(f"POST {QUEUE} HTTP/1.1", *fields, body=b"0\r\n\r\n"), 400, "BAD_REQUEST")
        self.assert_refused(request(f"POST {QUEUE} HTTP/1.0", chunked, body=b"0\r\n\r\n"), 400, "BAD_REQUEST")
        for coding in ("xchunked", "chunked, identity", "gzip, chunked", "identity", "chunked;q=1", "\x0bchunked"):
            with self.subTest(coding=coding):
                answer, _ = self.send(request(f"POST {QUEUE} HTTP/1.1", "Transfer-Encoding: " + coding, body=b"0\r\n\r\n"))
                self.assertIn(answer.status, (400, 501), answer)
                self.assert_problem(answer, answer.status, {400: "BAD_REQUEST", 501: "NOT_IMPLEMENTED"}[answer.status])

    def test_chunks(self):
        head = request(f"POST {QUEUE} HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")
        for body in (b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n",
                     b"2;ext=1\r\n{}\r\n0\r\n\r\n",
                     b"2\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n"):
            with self.subTest(body=body):
                self.assert_refused(head + body, 400, "BAD_REQUEST")
        # A well-formed one is as good as a length.
        body = b'1\r\n{\r\n13\r\n"userId":"a","x":1}\r\n0\r\n\r\n'
        self.assert_refused(head + body, 400, "UNKNOWN_FIELD", closes=False)

    def test_sizes(self):
        self.assert_refused(request("GET /" + "a" * 9000 + " HTTP/1.1"), 414, "URI_TOO_LONG")
        self.assert_refused(request("GET /" + "a" * 200_000 + " HTTP/1.1"), 414, "URI_TOO_LONG")
        self.assert_refused(request("GET /healthz HTTP/1.1", "X: " + "a" * 9000), 431, "HEADER_TOO_LARGE")
        self.assert_refused(request("GET /healthz HTTP/1.1", *[f"X-{n}: a" for n in range(150)]), 431, "HEADER_TOO_LARGE")
        self.assert_refused(request("GET /healthz HTTP/1.1", *[f"X-{n}: " + "a" * 1000 for n in range(50)]), 431,
                            "HEADER_TOO_LARGE")
        self.assert_refused(post(b"", length=70_000), 413, "BODY_TOO_LARGE")  # before any of it is sent
        self.assertEqual(self.send(post(b"", length=70_000))[0].json["instance"], QUEUE)
        self.assert_refused(post(b"", length=2**62), 413, "BODY_TOO_LARGE")
        chunks = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
        self.assert_refused(request(f"POST {QUEUE} HTTP/1.1", "Content-Type: application/json",
                                    "Transfer-Encoding: chunked", body=chunks), 413, "BODY_TOO_LARGE")

    def test_text_that_is_none_reaches_no_log(self):
        """What a command can not hold is refused before it is one: in a log it would stop every replica, for good."""
        hold = json.loads(self.inside.try_hold({"area": "floor", "quantity": 1}).body)["holdId"]
        extend = f"{self.inside.base}/holds/{hold}/extend"
        for key in ("\xff", "\xc3\x28", "a b", "k" * 129):
            with self.subTest(key=key[:9]):
                self.assert_refused(request(f"POST {extend} HTTP/1.1", "Content-Length: 0", f"Idempotency-Key: {key}",
                                            "Connection: close", f"Authorization: Bearer {self.inside.admission}"), 400,
                                    "IDEMPOTENCY_KEY_INVALID")
        self.inside.http.delete(f"{self.inside.base}/holds/{hold}", self.inside.admission)
        admin = f"Authorization: Bearer {self.node.key}"
        self.assert_refused(request("DELETE /admin/v1/keys/%FF HTTP/1.1", admin, "Connection: close"), 400, "BAD_REQUEST")
        self.assert_refused(request("DELETE /admin/v1/keys/a%20b HTTP/1.1", admin, "Connection: close"), 404, "KEY_UNKNOWN")

    def test_endless_lines_of_chunks(self):
        head = request(f"POST {QUEUE} HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")
        for tail in (b"1;" + b"a" * 100_000, b"0\r\n" + b"Trailer: x\r\n" * 10_000, b"1" * 100_000):
            with self.subTest(tail=tail[:9]):
                self.assert_refused(head + tail, 400, "BAD_REQUEST")

    def test_files(self):
        """There is room for a large body for who may hand one in, and for a few at a time."""
        def put(key, *fields):
            return request("PUT /admin/v1/events/big HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000000",
                           *([f"Authorization: Bearer {key}"] if key else []), *fields)
        viewer = self.node.admin("POST", "/keys", {"name": "looker", "role": "viewer"})["key"]
        for fields in ((), ("Expect: 100-continue",)):
            self.assert_refused(put(None, *fields), 401, "UNAUTHENTICATED")
            self.assert_refused(put("slk_guessed", *fields), 401, "UNAUTHENTICATED")
            self.assert_refused(put(viewer, *fields), 403, "FORBIDDEN")
        chunks = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
        self.assert_refused(request("PUT /admin/v1/events/big HTTP/1.1", "Content-Type: application/json",
                                    "Transfer-Encoding: chunked", body=chunks), 401, "UNAUTHENTICATED")
        begun = [socket.create_connection(("127.0.0.1", self.node.port), 10) for _ in range(4)]
        for s in begun:
            s.sendall(put(self.node.key, "Expect: 100-continue"))
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 100 Continue"))
        answer, _ = self.send(put(self.node.key))
        self.assert_problem(answer, 503, "OVERLOADED")
        self.assertIn("Retry-After", answer.headers)
        for s in begun[1:]:
            s.close()
        begun[0].sendall(b" " * 1_000_000)
        self.assertIn(b"BAD_JSON", begun[0].recv(1000))
        begun[0].close()
        wait_for(lambda: self.send(put(self.node.key, "Connection: close") + b" " * 1_000_000)[0].status == 400, 5,
                 "there is room again")

    def test_expect(self):
        self.assert_refused(post(b"{}", "Expect: 200-ok"), 417, "EXPECTATION_FAILED")
        with socket.create_connection(("127.0.0.1", self.node.port), 10) as s:
            s.sendall(post(b"", "Expect: 100-continue", length=11))
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
            s.sendall(b'{"xser":"a"}'[:11])
            s.settimeout(2)
            self.assertIn(b"BAD_JSON", read_all(s))
        self.assert_refused(post(b"", "Expect: 100-continue", length=70_000), 413, "BODY_TOO_LARGE")


class Routing(HttpCase):
    def assert_code(self, method, path, status, code, **how):
        answer = self.node.client().request(method, path, **how)
        self.assert_problem(answer, status, code)
        return answer

    def test_unknown_routes_and_wrong_methods(self):
        for path in ("/nothing", "/api/v1", "/api/v1/events/show/queue/", "//", "/API/v1/events",
                     "/.git/config", "/admin", "/metrics/x"):
            with self.subTest(path=path):
                self.assert_code("GET", path, 404, "NOT_FOUND")
        line, health = {"GET", "HEAD", "POST", "DELETE"}, {"GET", "HEAD"}
        for method, path, allowed in (("PUT", QUEUE, line), ("OPTIONS", QUEUE, line), ("GET", QUEUE + "/admission", {"POST"}),
                                      ("DELETE", "/healthz", health), ("TRACE", "/healthz", health), ("BREW", "/healthz", health)):
            with self.subTest(method=method, path=path):
                answer = self.assert_code(method, path, 405, "METHOD_NOT_ALLOWED")
                self.assertEqual(set(answer.headers["Allow"].split(", ")), allowed)

    def test_paths_that_want_out(self):
        for path in ("/pages/..%2f..%2fetc%2fpasswd", "/pages/../../etc/passwd", "/../etc/passwd", "/pages/%2e%2e/x",
                     "/pages/..\\..\\x", "/%2e%2e/%2e%2e/etc/passwd", "/pages/.git", "/pages//etc/passwd"):
            with self.subTest(path=path):
                answer = self.node.client().get(path)
                self.assertIn(answer.status, (400, 404), answer)
                self.assert_problem(answer, answer.status, answer.json["code"])

    def test_ids(self):
        for id in ("%00", "%zz", "%", "%e", "a%", "%2", "%f"):
            with self.subTest(id=id):
                self.assert_code("GET", f"/api/v1/events/{id}", 400, "BAD_REQUEST")
        for id in ("", "..%2f", "a%20b", "a;b", "%0a", "%c3%a4", "%e2%80%ae", "x" * 65, "%f0%9f%98%80", "a+b%2B"):
            with self.subTest(id=id):
                self.assert_code("GET", f"/api/v1/events/{id}/status", 400, "BAD_ID")
        self.assertEqual(self.node.client().get("/api/v1/events/%73how").status, 200)  # an escape nobody needs
        for user in ("", "x" * 129, "a\nb", "a\u0000b", "a\u202eb", "a\u200bb"):
            with self.subTest(user=user):
                self.assert_code("POST", QUEUE, 400, "BAD_ID", body={"userId": user})

    def test_head(self):
        answer, rest = self.send(request("HEAD /api/v1/events HTTP/1.1", "Connection: close"))
        self.assertEqual((answer.status, rest), (200, b""))
        self.assertGreater(int(answer.headers["Content-Length"]), 0)
        self.assertEqual(answer.body, b"")

    def test_media_types(self):
        body = b'{"userId":"a"}'
        for kind in ("text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"):
            with self.subTest(kind=kind):
                self.assert_code("POST", QUEUE, 415, "UNSUPPORTED_MEDIA_TYPE", raw=body, headers={"Content-Type": kind})
        self.assert_code("POST", QUEUE, 415, "UNSUPPORTED_MEDIA_TYPE", raw=body, headers={"Content-Encoding": "gzip"})


class Json(HttpCase):
    ODD_NUMBER = ((422, "BAD_VALUE"), (422, "MISSING_FIELD"), (422, "LIMIT_PER_USER"), (400, "BAD_JSON"))

    def refusal(self, raw, path=QUEUE, **headers):
        if not isinstance(raw, bytes):
            raw = raw.encode()
        answer = self.node.client().request("POST", path, raw=raw, token=self.inside.admission, headers=headers)
        self.assert_problem(answer, answer.status, answer.json["code"])
        return answer.status, answer.json["code"]

    def test_what_is_no_json(self):
        for raw in ('{"userId":', "{", "nonsense", "{'userId':'a'}", '{"userId":"a"} trailing', '{"userId":"a",}', '// c\n{}',
                    '{"userId":NaN}', '{"userId":Infinity}', '{"userId":-Infinity}', '{"userId":1e999}', "[]", '"text"', "1",
                    "null", '{"userId":"a","userId":"b"}', b'{"userId":"\xff\xfe"}', b'\xef\xbb\xbf{"userId":"a"}',
                    '{"userId":"\\ud800"}', '{"userId":"\\x41"}', '{"userId":"a\nb"}', '{"userId":01}', '{"userId":+1}',
                    '{"a":' * 40 + "1" + "}" * 40, '{"userId":' + "[" * 5000 + "]" * 5000 + "}", "\0"):
            with self.subTest(raw=raw[:60]):
                self.assertEqual(self.refusal(raw), (400, "BAD_JSON"))
        self.assertEqual(self.refusal("{" + ",".join(f'"{n}":0' for n in range(7000)) + "}"), (400, "BAD_JSON"))
        answer = self.node.client().request("POST", QUEUE, {str(n): 0 for n in range(200)})
        self.assert_problem(answer, 400, "UNKNOWN_FIELD")
        self.assertEqual(len(answer.json["errors"]), 100)  # and not one for each of as many as fit
        self.assertEqual(self.refusal('{"userId":[' + "1," * 12_000 + "1]}"), (400, "BAD_JSON"))

    def test_what_is_json_but_no_request(self):
        for raw, expected in (('{"userId":1}', (422, "BAD_VALUE")), ('{"userId":null}', (422, "MISSING_FIELD")),
                              ('{"userId":["a"]}', (422, "BAD_VALUE")),
                              ('{"userId":{}}', (422, "BAD_VALUE")), ("{}", (422, "MISSING_FIELD")),
                              ('{"userId":"a","extra":1}', (400, "UNKNOWN_FIELD")), ('{"USERID":"a"}', (400, "UNKNOWN_FIELD"))):
            with self.subTest(raw=raw):
                self.assertEqual(self.refusal(raw), expected)

    def test_numbers(self):
        for number in ("0", "-1", "2147483648", "4294967297", "9223372036854775807", "9223372036854775808",
                       "18446744073709551616", "1.0", "1e0", "-0", '"1"', "true", "null", "1" * 300):
            with self.subTest(number=number):
                raw = '{"area":"floor","quantity":%s}' % number
                status, code = self.refusal(raw, "/api/v1/events/show/holds", **{"Idempotency-Key": secrets.token_hex(4)})
                self.assertIn((status, code), self.ODD_NUMBER)


class Credentials(HttpCase):
    def test_tokens(self):
        good = self.inside.admission
        head, claims, signature = good.split(".")
        none = "eyJhbGciOiJub25lIn0"
        for token in ("x", "a.b.c", "..", good + "A", good[:-6], f"{none}.{claims}.", f"{none}.{claims}.{signature}",
                      f"{head}.{claims[:-4]}AAAA.{signature}", "a" * 7000, good.replace(".", ".."), good + ".more",
                      self.inside.token.split(".")[0] + f".{claims}.{signature}"):
            with self.subTest(token=token[:40]):
                self.assert_problem(self.node.client().get("/api/v1/reservations", token), 401, "TOKEN_INVALID")
        for field in ("", "Basic dTpw", "Bearer", good):
            with self.subTest(field=field[:20]):
                answer = self.node.client().get("/api/v1/reservations", Authorization=field)
                self.assert_problem(answer, 401, "UNAUTHENTICATED")

    def test_an_ended_visit(self):
        c = Customer(self.node, "show", "inside-too").enter()
        type(self).before = self.state()
        c.http.post(c.base + "/queue/complete", {}, c.token)
        self.assert_problem(c.try_hold({"seats": ["A-1-1"]}), 403, "NOT_ADMITTED")
        type(self).before = self.state()

    def test_admin_keys(self):
        path = "/admin/v1/events/show/actions/close"
        for token in ("slk_wrong", self.inside.admission, self.inside.token, self.node.key[:-1], self.node.key + "a"):
            with self.subTest(token=token[:12]):
                self.assert_problem(self.node.client().post(path, {}, token), 401, "UNAUTHENTICATED")
        self.assert_problem(self.node.client().post(path, {}), 401, "UNAUTHENTICATED")
        self.assert_problem(self.node.client().post(f"{path}?token={self.node.key}", {}), 401, "UNAUTHENTICATED")


class Curl(HttpCase):
    """The same through a client everybody has."""

    def setUp(self):
        if shutil.which("curl") is None:
            self.skipTest("there is no curl")

    def curl(self, *arguments):
        done = subprocess.run(["curl", "-sS", "-i", "--max-time", "15", "--path-as-is", *arguments], capture_output=True)
        self.assertEqual(done.returncode, 0, done)
        answer, rest = parse_answer(done.stdout)
        return parse_answer(rest)[0] if answer.status == 100 else answer

    def test_curl(self):
        url = f"http://127.0.0.1:{self.node.port}"
        self.assertEqual(self.curl(url + "/api/v1/events/show").status, 200)
        self.assert_problem(self.curl(url + "/pages/../../../etc/passwd"), 404, "NOT_FOUND")
        self.assert_problem(self.curl("-X", "PATCH", url + QUEUE), 405, "METHOD_NOT_ALLOWED")
        self.assert_problem(self.curl("-d", "a=b", url + QUEUE), 415, "UNSUPPORTED_MEDIA_TYPE")
        self.assert_problem(self.curl("-H", "Content-Type: application/json", "-d", "{", url + QUEUE), 400, "BAD_JSON")
        self.assert_problem(self.curl("-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "-d", "[]",
                                      url + QUEUE), 400, "BAD_JSON")
        self.assert_problem(self.curl("--http2", url + "/nothing"), 404, "NOT_FOUND")  # an upgrade nobody follows
        big = self.folder / "big"
        big.write_bytes(b" " * 200_000)
        self.assert_problem(self.curl("-H", "Content-Type: application/json", "--data-binary", f"@{big}", url + QUEUE),
                            413, "BODY_TOO_LARGE")


if __name__ == "__main__":
    main()
