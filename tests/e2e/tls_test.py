"""HTTPS at the edge: versions, streams, a certificate that changes while it serves, and an admin API that does not travel in
the clear."""
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time

from harness import Case, Customer, PROGRAMS, Node, definition, main, wait_for


class SecureNode(Node):
    """A node that serves HTTPS with a certificate of an authority of its own."""

    def __init__(self, folder, provider_port, name="edge"):
        self.certificates = folder / "tls"
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(self.certificates), name], check=True,
                       capture_output=True)
        super().__init__(folder, provider_port, "--tls-cert", str(self.certificates / f"{name}.crt"), "--tls-key",
                         str(self.certificates / f"{name}.key"))

    def context(self, **more):
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
        context.check_hostname = False
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def connect(self, **more):
        return self.context(**more).wrap_socket(socket.create_connection((self.host, self.port), timeout=10))

    def ask(self, method, path, body=None, token=None, connection=None):
        made = connection or http.client.HTTPSConnection(self.host, self.port, timeout=20, context=self.context())
        fields = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        made.request(method, path, json.dumps(body) if body is not None else None, fields)
        answer = made.getresponse()
        return answer.status, answer.read()

    def is_ready(self):
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Edge(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = SecureNode(cls.make_folder("edge"), cls.provider.port)
        cls.programs.append(cls.node)
        cls.node.start()
        status, _ = cls.node.ask("PUT", "/admin/v1/events/show", definition("show", rows=40, seats=50), cls.node.key)
        assert status == 201, status

    def test_requests_of_one_connection_follow_each_other(self):
        connection = http.client.HTTPSConnection(self.node.host, self.node.port, timeout=20, context=self.node.context())
        for n in range(20):
            status, body = self.node.ask("POST", "/api/v1/events/show/queue", {"userId": f"u-{n}"}, connection=connection)
            self.assertIn(status, (200, 202), body)

    def test_large_answers_and_large_bodies_come_through(self):
        status, body = self.node.ask("GET", "/api/v1/events/show/blocks/A")
        self.assertEqual(status, 200)
        self.assertEqual(len(json.loads(body)["seats"]), 2000)
        status, _ = self.node.ask("PUT", "/admin/v1/events/large", definition("large", rows=100, seats=100), self.node.key)
        self.assertEqual(status, 201)

    def test_tls_1_2_is_the_oldest(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.node.connect(minimum_version=version, maximum_version=version) as s:
                self.assertEqual(s.version(), version.name.replace("TLSv1_", "TLSv1."))
        old = self.node.context()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(socket.create_connection((self.node.host, self.node.port), timeout=5))

    def test_a_stream_passes_through(self):
        _, body = self.node.ask("POST", "/api/v1/events/show/queue", {"userId": "streamer"})
        token = json.loads(body)["token"]
        with self.node.connect() as s:
            s.sendall(f"GET /api/v1/events/show/queue/stream?token={token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            got = b""
            until = time.time() + 10
            while b"event:" not in got and time.time() < until:
                got += s.recv(4096)
            self.assertIn(b"text/event-stream", got)
            self.assertIn(b"event:", got)

    def test_plain_http_gets_nothing_and_harms_nothing(self):
        with socket.create_connection((self.node.host, self.node.port), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                got = s.recv(100)
            except ConnectionError:
                got = b""
            self.assertNotIn(b"200", got)
        self.assertTrue(self.node.is_ready())

    def test_a_handshake_that_stops_does_not_hold_the_line(self):
        idle = [socket.create_connection((self.node.host, self.node.port)) for _ in range(50)]
        try:
            self.assertTrue(self.node.is_ready())
        finally:
            for s in idle:
                s.close()

    def test_the_certificate_changes_without_dropping_anybody(self):
        def serial():
            with self.node.connect() as s:
                return s.getpeercert()["serialNumber"]
        before = serial()
        held = http.client.HTTPSConnection(self.node.host, self.node.port, timeout=20, context=self.node.context())
        self.assertEqual(self.node.ask("GET", "/healthz", connection=held)[0], 200)
        fresh = self.folder / "fresh"
        shutil.copytree(self.node.certificates, fresh)
        (fresh / "edge.crt").unlink()
        (fresh / "edge.key").unlink()
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(fresh), "edge"], check=True,
                       capture_output=True)
        (self.node.certificates / "edge.crt").write_text("no certificate")
        self.node.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "certificate-kept" in self.node.log_text(), 10, "the mistake is told")
        self.assertEqual(serial(), before)
        for name in ("edge.crt", "edge.key"):
            shutil.copy(fresh / name, self.node.certificates / name)
        self.node.process.send_signal(signal.SIGHUP)
        wait_for(lambda: serial() != before, 10, "the new certificate is shown")
        self.assertEqual(self.node.ask("GET", "/healthz", connection=held)[0], 200)

    def ctl(self, *arguments, scheme="https"):
        told = subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"{scheme}://{self.node.host}:{self.node.port}", "--key-file",
                               str(self.node.key_file), *arguments], capture_output=True, text=True, timeout=60)
        return told.returncode, told.stdout + told.stderr

    def test_an_operator_reaches_it_and_only_it(self):
        authority = ("--ca", str(self.node.certificates / "ca.crt"))
        named = (*authority, "--server-name", "edge")
        code, told = self.ctl(*named, "event", "show", "show")
        self.assertEqual(code, 0, told)
        self.assertIn("show", told)
        code, told = self.ctl(*named, "event", "watch", "show", "--count", "2", "--interval-ms", "100")  # more than one request over the connection
        self.assertEqual(code, 0, told)
        for options, word in (((), "is not to be trusted"), (("--server-name", "edge"), "issuer"), (authority, "is not to be trusted as that of 127.0.0.1"),
                              ((*authority, "--server-name", "other"), "is not to be trusted as that of other")):
            with self.subTest(options=options):
                code, told = self.ctl(*options, "event", "list")
                self.assertEqual(code, 3, told)
                self.assertIn(word, told)
                self.assertIn("--server-name", told)
        code, told = self.ctl("event", "list", scheme="http")
        self.assertEqual(code, 3, told)
        self.assertIn("https://", told)

    def test_a_node_without_a_certificate_is_told_from_one_with(self):
        node = self.make_node()
        node.start()
        told = subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"https://{node.host}:{node.port}", "event", "list"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(told.returncode, 3, told)
        self.assertIn("does not speak TLS", told.stderr)
        self.assertIn("http://", told.stderr)

    def test_a_key_that_does_not_fit_is_told_at_the_start(self):
        other = self.folder / "other"
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(other), "other"], check=True,
                       capture_output=True)
        told = subprocess.run([str(PROGRAMS / "sluiced"), "--data", str(self.folder / "none"), "--listen", "127.0.0.1:0",
                               "--tls-cert", str(self.node.certificates / "edge.crt"), "--tls-key",
                               str(other / "other.key")], capture_output=True, text=True, timeout=20)
        self.assertEqual(told.returncode, 1)
        self.assertIn("is not that of the certificate", told.stderr)


class Plain(Case):
    def test_the_admin_api_answers_other_machines_only_over_tls(self):
        address = outer_address()
        if not address:
            self.skipTest("this machine has no address but loopback")
        provider = self.make_provider().start()
        node = self.make_node(provider=provider)
        for options, expected in (((), (403, "TLS_REQUIRED")), (("--insecure-admin",), (200, None))):
            with self.subTest(options=options):
                node.options = options
                node.launch("--data", node.data, "--listen", f"0.0.0.0:{node.port}", "--payment-provider",
                            f"127.0.0.1:{provider.port}", "--partitions", "4", *options)
                node.wait_ready()
                made = http.client.HTTPConnection(address, node.port, timeout=10)
                made.request("GET", "/admin/v1/cluster", headers={"Authorization": f"Bearer {node.key}"})
                answer = made.getresponse()
                told = json.loads(answer.read())
                self.assertEqual((answer.status, told.get("code")), expected, told)
                made.close()
                node.stop()


def outer_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing; only finds out which address would
        except OSError:
            return None
        address = s.getsockname()[0]
    return None if address.startswith("127.") else address


if __name__ == "__main__":
    main()
