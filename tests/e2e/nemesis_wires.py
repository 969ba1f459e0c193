"""How a test parts nodes from each other. With network namespaces where the machine allows them; else through relays that
nodes are known by, which hear who dials and hold back what he says."""
import os
import random
import socket
import subprocess
import threading

import wire
from programs import free_port


def run(*command):
    """What went wrong; empty when nothing did."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    return "" if done.returncode == 0 else (done.stderr or done.stdout or "failed").strip()


class Namespaces:
    """Each node in a network namespace of its own, all on one bridge. What a node sends to another one is lost once its
    namespace has a route into the void for it."""

    secure = True  # beyond loopback nodes want certificates

    def __init__(self, size):
        self.tag = f"sl{os.getpid() % 100_000}"
        self.net = f"10.{random.randrange(64, 192)}.{random.randrange(256)}"
        self.size = size
        self.here = f"{self.net}.254"
        self.hosts = [f"{self.net}.{k}" for k in range(1, size + 1)]
        self.cuts = set()

    @staticmethod
    def missing():
        """Why it can not be done here; empty if it can."""
        probe = Namespaces(1)
        try:
            probe.open()
            return run("ip", "netns", "exec", probe.name(1), "ip", "route", "add", "blackhole", "192.0.2.1/32")
        except OSError as e:
            return str(e)
        finally:
            probe.close()

    def name(self, number):
        return f"{self.tag}-{number}"

    def must(self, *command):
        failed = run(*command)
        if failed:
            raise OSError(f"{' '.join(command)}: {failed}")

    def open(self):
        self.must("ip", "link", "add", self.tag, "type", "bridge")
        self.must("ip", "addr", "add", f"{self.here}/24", "dev", self.tag)
        self.must("ip", "link", "set", self.tag, "up")
        for k in range(1, self.size + 1):
            inside, outside = self.name(k), f"{self.tag}v{k}"
            self.must("ip", "netns", "add", inside)
            self.must("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", inside)
            self.must("ip", "link", "set", outside, "master", self.tag, "up")
            for command in (("ip", "addr", "add", f"{self.hosts[k - 1]}/24", "dev", "eth0"), ("ip", "link", "set", "eth0", "up"),
                            ("ip", "link", "set", "lo", "up")):
                self.must("ip", "netns", "exec", inside, *command)

    def close(self):
        for k in range(1, self.size + 1):
            run("ip", "link", "del", f"{self.tag}v{k}")
            run("ip", "netns", "del", self.name(k))
        run("ip", "link", "del", self.tag)

    def equip(self, member):
        member.prefix = ["ip", "netns", "exec", self.name(member.number)]
        member.extra = ["--insecure-admin"]  # the wire to the test is this machine's own

    def cut(self, sender, receiver):
        """Nothing `sender` says reaches `receiver` any more; both are numbers of nodes."""
        if (sender, receiver) not in self.cuts:
            self.must("ip", "netns", "exec", self.name(sender), "ip", "route", "add", "blackhole",
                      f"{self.hosts[receiver - 1]}/32")
            self.cuts.add((sender, receiver))

    def heal(self):
        for sender, receiver in self.cuts:
            self.must("ip", "netns", "exec", self.name(sender), "ip", "route", "del", "blackhole",
                      f"{self.hosts[receiver - 1]}/32")
        self.cuts = set()


class Relays:
    """Each node is known by the address of a relay. Needs no rights, but must understand the first frame: no TLS."""

    secure = False

    def __init__(self, size):
        self.here = "127.0.0.1"
        self.hosts = [f"127.0.0.{k}" for k in range(1, size + 1)]
        self.cuts = set()
        self.doors = []
        self.ids = {}  # of nodes in the cluster, once known: their numbers here
        self.lock = threading.Condition()

    def open(self):
        pass

    def close(self):
        self.heal()
        for door in self.doors:
            door.close()

    def equip(self, member):
        door = socket.create_server((member.host, free_port(member.host)), backlog=64)
        self.doors.append(door)
        member.peer_listen = member.peer_address
        member.extra = ["--peer-address", f"{member.host}:{door.getsockname()[1]}"]
        target = (member.host, member.peer_port)
        threading.Thread(target=self.accept, args=(door, target, member.number), daemon=True).start()

    def accept(self, door, target, receiver):
        while True:
            try:
                line, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(line, target, receiver), daemon=True).start()

    def carry(self, line, target, receiver):
        try:
            line.settimeout(10)
            greeting = wire.read_frame(line)
            told = dict(wire.fields(greeting))
            line.settimeout(None)
            sender = 0 if 8 in told else int(told.get(5, b"n0")[1:])  # n1, n2, …: as Cluster names them
            far = socket.create_connection(target, 5)
            self.pass_on((sender, receiver), far, wire.frame(greeting))
        except (OSError, ValueError, IndexError):
            line.close()
            return
        for one, two, way in ((line, far, (sender, receiver)), (far, line, (receiver, sender))):
            threading.Thread(target=self.copy, args=(one, two, way), daemon=True).start()

    def copy(self, one, two, way):
        try:
            while data := one.recv(65536):
                self.pass_on(way, two, data)
        except OSError:
            pass
        for s in (one, two):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        one.close()  # the other way closes the other end

    def pass_on(self, way, to, data):
        with self.lock:
            self.lock.wait_for(lambda: way not in self.cuts)
        to.sendall(data)

    def cut(self, sender, receiver):
        with self.lock:
            self.cuts.add((sender, receiver))

    def heal(self):
        with self.lock:
            self.cuts = set()
            self.lock.notify_all()


def best(size):
    """The wires this machine allows, and why not the better ones."""
    missing = Namespaces.missing()
    return (Relays(size), missing) if missing else (Namespaces(size), "")
