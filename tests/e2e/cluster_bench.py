"""Three nodes with much in them: what a frozen follower costs the others, how long a lost disk takes to fill again, and how
long all of them take to serve after a power cut, how long an event stands still that changes partitions. Not a test: figures for a quiet machine.

    SLUICE_BIN=build/bin python3 tests/e2e/cluster_bench.py --frozen 60 --refill 1024 --restart --move --replica"""
import argparse
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from cluster import PARTITIONS, Cluster
from harness import definition, wait_for
from programs import Provider


def say(text):
    print(text, flush=True)


def resident_mib(node):
    pages = int(pathlib.Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def disk_mib(node):
    return sum(f.stat().st_size for f in node.data.rglob("*") if f.is_file()) / 2**20


class Bench:
    def __init__(self, folder):
        self.provider = Provider(folder).start()
        self.cluster = Cluster(folder / "cluster", self.provider, 3, tls=False)
        self.cluster.folder.mkdir(exist_ok=True)
        self.cluster.start()
        self.cluster.put_event(definition("show", admission={"maxActiveUsers": 1}))
        self.waiting = 0

    def end(self):
        for node in self.cluster.nodes:
            node.end()
        self.provider.kill()

    def load(self, kind, *more, node=1, wait=True):
        """sluice-bench against one node; what it found."""
        process = self.cluster[node].bench(kind, "--json", "-", *more)
        if not wait:
            return process
        told, complaint = process.communicate()
        assert process.returncode == 0, told[-500:] + complaint
        return json.loads(told)

    def growth(self, seconds, rate, frozen=None):
        """MiB more that the nodes but `frozen` have after so many seconds of joins."""
        others = [n for n in self.cluster.nodes if n is not frozen]
        load = self.load("join", "--rate", rate, "-s", seconds + 4, "--warm-up", 0, "-c", 32, node=others[0].number, wait=False)
        time.sleep(2)
        before = [resident_mib(n) for n in others]
        if frozen:
            frozen.pause()
        most = before
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            most = [max(m, resident_mib(n)) for m, n in zip(most, others)]
            time.sleep(0.5)
        told, complaint = load.communicate()
        assert load.returncode == 0, told[-500:] + complaint
        if frozen:
            frozen.resume()
        return [m - b for m, b in zip(most, before)], before

    def frozen(self, seconds, rate):
        for what, frozen in (("warm", None), ("all well", None), ("n3 frozen", self.cluster[3])):
            more, before = self.growth(seconds if what != "warm" else 10, rate, frozen)
            say(f"{what:10} {seconds} s at {rate} joins/s: RSS {', '.join(f'{b:.0f} + {m:.0f}' for b, m in zip(before, more))} MiB")
        began = time.monotonic()
        self.cluster.await_replicated()
        self.cluster.await_equal_states()
        say(f"caught up {time.monotonic() - began:.1f} s after it went on")

    def refill(self, mib):
        while disk_mib(self.cluster[1]) < mib:
            self.load("journey", "-s", 15, "--warm-up", 0, "-c", 256, "--free")
            say(f"  {disk_mib(self.cluster[1]):.0f} MiB")
        self.wipe(self.cluster[3])

    def replica(self, waiting, rounds):
        """A copy of a long line is made anew, again and again, while its leader goes on."""
        self.fill_line(waiting)
        self.cluster.make_lead(self.cluster[1], self.cluster.homes["show"])
        time.sleep(5)
        self.joins_while(lambda: time.sleep(2), rounds, "in peace, 2 s each")
        wiped = self.cluster[3]
        self.joins_while(lambda: self.wipe(wiped), rounds, "while a copy is made on the same cores")
        wiped.kill()
        *ours, its = sorted(os.sched_getaffinity(0))
        for process in (self.provider.process, *(n.process for n in self.cluster.live())):
            subprocess.run(["taskset", "-acp", ",".join(map(str, ours)), str(process.pid)], stdout=subprocess.DEVNULL, check=True)
        os.sched_setaffinity(0, ours)
        wiped.prefix = ["taskset", "-c", str(its)]  # as it would have on a machine of its own
        self.joins_while(lambda: self.wipe(wiped), rounds, "while a copy is made on a core of its own")

    def joins_while(self, act, rounds, what):
        """One after the other; each round counts from the join before it to the one behind it."""
        longest, every = [], []
        for _ in range(rounds):
            pauses = []
            stop = threading.Event()
            prober = threading.Thread(target=self.longest_pause, args=(stop, pauses))
            prober.start()
            act()
            stop.set()
            prober.join()
            longest.append(max(pauses))
            every += pauses
        every.sort()
        say(f"{self.waiting} waiting, {what}: {len(every)} joins one after the other, p99 {every[int(len(every) * 0.99)] * 1000:.0f} ms; "
            f"longest of each: {' '.join(f'{pause * 1000:.0f}' for pause in sorted(longest))} ms")

    def wipe(self, node):
        began = time.monotonic()
        self.cluster.wipe(node)
        node.wait_ready()

        def is_back():  # by its own word: the others may not have noticed yet that it was away
            own = [r for p in self.cluster.describe(by=node)["partitions"] for r in p["replicas"] if r["node"] == node.id]
            return len(own) == PARTITIONS and all(r["kind"] == "VOTER" and not r["rejoining"] and r["lag"] == 0 for r in own)
        wait_for(is_back, 600, lambda: f"it is back; {self.cluster.describe(by=node)['partitions']}", 0.1)
        took = time.monotonic() - began
        say(f"wiped node back as a voter of everything: {took:.1f} s, {disk_mib(node):.0f} MiB on its disk, others {disk_mib(self.cluster[1]):.0f}")

    def fill_line(self, waiting):
        """That of `show`, where the probes join, too."""
        while self.waiting < waiting:
            self.load("join", "--event", "show", "-s", 15, "--warm-up", 0, "-c", 256, "-t", 1)
            self.waiting = self.cluster[1].stats("show")["waitingUsers"]
            say(f"  {self.waiting} waiting in one line")

    def move(self, waiting):
        self.fill_line(waiting)
        for _ in range(4):
            self.cluster.homes["show"] = (self.cluster.homes["show"] + 1) % PARTITIONS
            pauses = []
            stop = threading.Event()
            prober = threading.Thread(target=self.longest_pause, args=(stop, pauses))
            prober.start()
            time.sleep(2)
            began = time.monotonic()
            done = self.cluster[2].ctl("cluster", "move", "show", str(self.cluster.homes["show"]), "--wait", "300")
            took = time.monotonic() - began
            assert done.returncode == 0, done.stderr
            time.sleep(2)
            stop.set()
            prober.join()
            say(f"moved with {self.waiting} waiting: {took:.2f} s; no join for {max(pauses):.2f} s at most")

    def longest_pause(self, stop, pauses):
        """Of joins one after the other."""
        client = self.cluster[1].client(timeout=60)
        last = time.monotonic()
        while not stop.is_set():
            answer = client.post("/api/v1/events/show/queue", {"userId": secrets.token_hex(8)})
            if answer.status in (200, 202):
                pauses.append(time.monotonic() - last)
                last = time.monotonic()

    def restart(self, waiting, reservations):
        self.fill_line(waiting)
        made = 0
        while made < reservations:
            told = self.load("journey", "-s", 15, "--warm-up", 0, "-c", 256, "--free")
            made += self.units(told)
            say(f"  {made} reservations")
        for how in ("clean", "power cut"):
            for node in self.cluster.nodes:
                node.stop(120) if how == "clean" else node.process.kill()
            for node in self.cluster.nodes:
                node.kill()
            began = time.monotonic()
            for node in self.cluster.nodes:
                node.start(wait=False)
            took = self.first_write(began)
            for node in self.cluster.nodes:
                node.wait_ready()
            say(f"{how}: first write {took:.2f} s after the start of all three, everybody ready {time.monotonic() - began:.2f} s")

    def first_write(self, began):
        told = []

        def ask(node):
            while not told and time.monotonic() < began + 60:
                try:
                    answer = node.client(timeout=5).post("/api/v1/events/show/queue", {"userId": secrets.token_hex(8)})
                    if answer.status in (200, 202):
                        told.append(time.monotonic() - began)
                except Exception:  # noqa: BLE001 - it is not there yet
                    time.sleep(0.01)
        threads = [threading.Thread(target=ask, args=(n,)) for n in self.cluster.nodes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return min(told)

    @staticmethod
    def units(told):
        return sum(s["finished"] for s in told["stages"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--frozen", type=int, default=0, metavar="SECONDS", help="stop a follower for so long, under load")
    p.add_argument("--rate", type=int, default=4000, help="joins a second meanwhile")
    p.add_argument("--refill", type=int, default=0, metavar="MIB", help="wipe a node of so much")
    p.add_argument("--replica", action="store_true", help="a copy of the line of --waiting people is made anew")
    p.add_argument("--rounds", type=int, default=10, help="of it")
    p.add_argument("--in", dest="folder", metavar="DIR", help="where the nodes keep their data: /dev/shm, if they shall not wait for one another's disk")
    p.add_argument("--move", action="store_true", help="an event with --waiting people, to other partitions")
    p.add_argument("--restart", action="store_true", help="with --waiting people and --reservations")
    p.add_argument("--waiting", type=int, default=1_000_000)
    p.add_argument("--reservations", type=int, default=100_000)
    options = p.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-cluster-bench-", dir=options.folder))
    bench = Bench(folder)
    try:
        if options.frozen:
            bench.frozen(options.frozen, options.rate)
        if options.replica:
            bench.replica(options.waiting, options.rounds)
        if options.move:
            bench.move(options.waiting)
        if options.restart:
            bench.restart(options.waiting, options.reservations)
        if options.refill:
            bench.refill(options.refill)
    finally:
        bench.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
