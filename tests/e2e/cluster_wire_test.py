"""Bad bytes between nodes: whatever comes in at the peer port, the cluster sells on, and nothing of it gets into a log."""
import random
import socket
import struct
import time

import wire
from cluster import ClusterCase
from harness import Customer, definition, main, wait_for


class BadBytes(ClusterCase):
    """Without TLS, which would end such bytes before anything reads them: here what comes behind it must stand alone."""

    TLS = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.put_event(definition("show", rows=40, limitPerUser=100, keepActiveAfterBooking=True))
        cls.seat = 0
        # Where node 3 was: what node 1 says to it is all an impostor needs without TLS.
        third = cls.cluster[3]
        cls.ids = {n: cls.cluster[n].id for n in (1, 2, 3)}
        third.stop()
        heard = {h[4]: h for h in wire.overhear(third.host, third.peer_port, 6)}
        cls.known = heard[cls.ids[1]]
        third.start()
        cls.cluster.await_replicated()
        cls.dice = random.Random(11)

    def tearDown(self):
        """The cluster is as it was: nobody died, nobody differs, and it sells."""
        for node in self.cluster.nodes:
            self.assertTrue(node.running, node.log_text()[-600:])
        BadBytes.seat += 1
        c = Customer(self.cluster.nodes[self.seat % 3], "show").enter()
        c.hold(f"A-{self.seat}-1")
        self.cluster.await_replicated()
        self.cluster.await_equal_states()

    def dial(self, node):
        s = socket.create_connection((node.host, node.peer_port), 10)
        self.addCleanup(s.close)
        return s

    def greeting(self, at, **but):
        """As node 1 would greet the node `at`."""
        told = {"cluster": self.known[2].decode(), "node": self.ids[1], "name": "n1", "disk": self.known[6],
                "to": self.ids[at.number], "incarnation": self.known[7], **but}
        return wire.hello(**told)

    def impostor(self, to):
        """A line to `to` that is taken for node 1's."""
        s = self.dial(to)
        s.sendall(wire.frame(self.greeting(to)))
        welcome = dict(wire.fields(wire.read_frame(s)))
        self.assertNotIn(1, welcome, welcome)
        return s

    def assert_closed(self, s, seconds=8):
        s.settimeout(seconds)
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            pass

    def test_what_is_no_greeting(self):
        victim = self.cluster[2]
        dice = self.dice
        greeting = self.greeting(victim)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 12, dice.randbytes(5000), struct.pack(">IQ", 0xFFFFFFFF, 0),
                     struct.pack(">IQ", 64 * 1024 + 1, 1) + b"x" * 100, wire.frame(dice.randbytes(100)),
                     wire.frame(greeting, sum=1), wire.frame(greeting, length=len(greeting) + 1, sum=0) + b"x",
                     wire.frame(b"")):
            with self.subTest(data=data[:40]):
                s = self.dial(victim)
                try:
                    s.sendall(data)
                except OSError:
                    pass
                self.assert_closed(s)

    def test_half_a_greeting(self):
        victim = self.cluster[2]
        lines = []
        for _ in range(200):  # more than are listened to at a time
            s = self.dial(victim)
            s.sendall(wire.frame(self.greeting(victim))[:20])
            lines.append(s)
        began = time.monotonic()
        for s in lines:
            self.assert_closed(s, 15)
        self.assertLess(time.monotonic() - began, 15)

    def test_who_greets_wrongly_is_told(self):
        victim = self.cluster[2]
        for but, word in (({"cluster": "another"}, "cluster"), ({"epoch": 2}, "epoch"), ({"node": 99}, "not in this cluster"),
                          ({"name": "n3"}, "called"), ({"disk": 5}, "disk"), ({"to": 3}, "this is node"),
                          ({"protocol": 9}, "protocol")):
            with self.subTest(but=but):
                s = self.dial(victim)
                s.sendall(wire.frame(self.greeting(victim, **but)))
                told = dict(wire.fields(wire.read_frame(s)))
                self.assertIn(word, told[1].decode())
                self.assert_closed(s)

    def test_bad_frames_of_a_known_node(self):
        victim = self.cluster[2]
        ping = wire.envelope(wire.text(13, wire.number(1, 1)))
        for data in (wire.frame(ping, sum=1), struct.pack(">IQ", 0xFFFFFFFF, 0), struct.pack(">IQ", 64 * 1024 * 1024 + 1, 0),
                     self.dice.randbytes(3000)):
            with self.subTest(data=data[:20]):
                s = self.impostor(victim)
                s.sendall(wire.frame(ping))
                self.assertEqual(wire.read_frame(s), b"")
                s.sendall(data)
                self.assert_closed(s)
        for data in (wire.frame(ping)[:-1], wire.frame(ping)[:5], struct.pack(">IQ", 1024 * 1024, 0) + b"x" * 1000):
            with self.subTest(truncated=data[:20]):
                s = self.impostor(victim)
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                self.assert_closed(s)

    def test_frames_that_make_no_sense(self):
        """Well framed, and nonsense inside: dropped item by item."""
        victim = self.cluster[2]
        dice = self.dice
        before = {p["id"]: p["term"] for p in victim.describe()["partitions"]}
        body = lambda n: dice.randbytes(n)
        items = [body(n) for n in range(0, 100, 7)]
        items += [wire.text(f, body(40)) for f in range(1, 16)]
        for partition in (0, 3, 4, 99, 0xFFFFFFFF):
            p = wire.number(1, partition)
            items += [wire.text(1, p + wire.text(2, body(30))),                                           # consensus
                      wire.text(2, p + wire.text(2, wire.text(3, body(20)))),                             # commands
                      wire.text(3, p + wire.text(2, wire.text(3, body(20)))),                             # questions
                      wire.text(5, p + wire.number(2, 1 << 40) + wire.text(3, body(20))),                 # publications
                      wire.text(8, p + wire.number(2, 1 << 50) + wire.text(3, body(10))),                 # pulls
                      wire.text(9, p + wire.number(4, 1 << 50) + wire.text(7, body(10)))]                 # parts
        items += [wire.text(4, wire.text(1, wire.fixed(1, 1) + wire.fixed(2, 7) + wire.text(4, body(20)))),  # answers
                  wire.text(11, wire.number(1, 1) + wire.text(2, "what") + wire.text(3, body(10))),       # questions to a node
                  wire.text(11, wire.number(1, 2) + wire.text(2, "entity") + wire.text(3, body(10))),
                  wire.text(11, wire.number(1, 3) + wire.text(2, "verify") + wire.text(3, "99999999999999999999")),
                  wire.text(11, wire.number(1, 4) + wire.text(2, "transfer") + wire.text(3, "999 999")),
                  wire.text(12, wire.number(1, 1 << 60) + wire.text(2, "?"))]
        s = self.impostor(victim)
        for item in items:
            data = wire.envelope(item)
            try:
                s.sendall(wire.frame(data))
                s.sendall(wire.frame(self.dice.randbytes(self.dice.randrange(1, 128))))  # no envelope at all
            except OSError:
                s = self.impostor(victim)  # node 1 itself dialled again and took its place
        time.sleep(1)
        wait_for(victim.is_ready, 10, "it goes on")
        after = {p["id"]: p["term"] for p in victim.describe()["partitions"]}
        self.assertTrue(all(after[p] - before[p] < 20 for p in before), (before, after))
        for partition in range(4):
            log = str(victim.log_entries(partition))
            self.assertNotIn("UNKNOWN", log.upper())

    def test_packed_items_that_make_no_sense(self):
        """Items within items, and one that says it is larger than all memory."""
        victim = self.cluster[2]
        ping = wire.text(13, wire.number(1, 1))
        pack = lambda item: wire.text(14, b"\0" + item)
        zstd = bytes.fromhex("28b52ffd e0")
        bad = [pack(pack(ping)), pack(b"\xff" * 20), wire.text(14, b""), wire.text(14, b"\2" + ping),
               wire.text(14, b"\1" + zstd + struct.pack("<Q", 1 << 40) + bytes(20)), wire.text(14, b"\1" + zstd[:3])]
        nonsense = lambda: victim.metric("sluice_peer_nonsense_total")

        def say(item):
            s = self.impostor(victim)  # until node 1 dials again and takes its place
            s.sendall(wire.frame(wire.envelope(item)))
            wire.read_frame(s)
            return nonsense()

        before = nonsense()
        self.assertEqual(say(pack(ping)), before)
        for item in bad:
            with self.subTest(item=item):
                before = nonsense()
                wait_for(lambda: say(item) > before, 10, "it is counted")

    def test_many_lines_that_say_nothing(self):
        for node in self.cluster.nodes:
            for _ in range(100):
                self.dial(node)
        c = Customer(self.cluster[1], "show").enter()
        c.hold("A-40-1")


if __name__ == "__main__":
    main()
