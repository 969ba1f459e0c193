"""How long a sale stands still when its leader dies, freezes or hands over: from the blow to the first write that is
acknowledged afterwards. In the end everybody who was told of a place has to have it, or the run fails. Figures for a quiet
machine.

    SLUICE_BIN=build/bin python3 tests/e2e/failover_bench.py --kills 100 --pauses 50 --transfers 100"""
import argparse
import pathlib
import secrets
import shutil
import sys
import tempfile
import threading
import time

from cluster import Cluster
from harness import definition, wait_for
from programs import Provider


class Writer(threading.Thread):
    """Joins the line without pause at one node, and notes when each answer came."""

    def __init__(self, node, pace):
        super().__init__(daemon=True)
        self.node = node
        self.pace = pace
        self.answers = []  # (asked, told)
        self.places = {}   # what users were told
        self.failures = []
        self.stop = threading.Event()

    def run(self):
        http = self.node.client(timeout=10)
        while not self.stop.is_set():
            asked = time.monotonic()
            user = secrets.token_hex(8)
            try:
                answer = http.post("/api/v1/events/show/queue", {"userId": user})
                told = time.monotonic()
                if answer.status in (200, 202):
                    self.answers.append((asked, told))
                    self.places[user] = answer.json["ticketNumber"]
                else:
                    self.failures.append((asked, told))
            except OSError:
                self.failures.append((asked, time.monotonic()))
            time.sleep(self.pace)


def first_after(writers, moment):
    """The first answer to a question asked after it; None if there is none yet."""
    found = [told for w in writers for asked, told in w.answers[-200:] if asked > moment]
    return min(found, default=None)


class Bench:
    def __init__(self, options, folder):
        self.provider = Provider(folder).start()
        self.cluster = Cluster(folder / "cluster", self.provider, options.nodes, options.tls)
        self.cluster.folder.mkdir(exist_ok=True)
        self.cluster.start()
        # Whose turn comes keeps it: a lapsed one would be given another place at the end.
        self.cluster.put_event(definition("show", admission={"maxActiveUsers": 1, "claimWindowSeconds": 86_400}))
        self.partition = self.cluster.homes["show"]
        self.options = options
        self.places = {}
        if options.drains:
            self.cluster.add()  # somebody has to take what a drained one held

    def end(self):
        for node in self.cluster.nodes:
            node.end()
        self.provider.kill()

    def strike(self, blow, back):
        """Seconds until the first write at the other nodes, asked after the blow, was acknowledged; and the longest any had
        to wait."""
        leader = self.cluster.leader(self.partition)
        others = [n for n in self.cluster.nodes if n is not leader]
        writers = [Writer(others[n % len(others)], self.options.pace) for n in range(self.options.writers)]
        for w in writers:
            w.start()
        time.sleep(0.4)
        moment = time.monotonic()
        blow(leader)
        told = wait_for(lambda: first_after(writers, moment), 30, "a write is acknowledged", 0.001)
        time.sleep(0.3)
        for w in writers:
            w.stop.set()
        for w in writers:
            w.join(20)
        longest = max(t - a for w in writers for a, t in w.answers if t > moment)
        failed = sum(len(w.failures) for w in writers)
        for w in writers:
            self.places.update(w.places)
        back(leader)
        self.cluster.await_replicated()
        return told - moment, longest, failed

    def transfer(self, leader):
        ids = [n.id for n in self.cluster.nodes if n is not leader]
        self.cluster.act("transfer", partition=self.partition)
        wait_for(lambda: self.cluster.leader_id(self.partition) in ids, 10, "another one leads", 0.01)

    def drain(self, leader):
        self.cluster.act("drain", node=leader.title)
        wait_for(lambda: self.cluster.leader_id(self.partition) not in (0, leader.id), 30, "another one leads", 0.01)

    def activate(self, node):
        held = lambda: [p for p in self.cluster.describe()["partitions"] if any(r["node"] == node.id for r in p["replicas"])]
        wait_for(lambda: not held(), 60, f"{node.title} holds nothing")
        self.cluster.act("activate", node=node.title)
        wait_for(held, 60, f"{node.title} takes part again")

    def check(self):
        """Everybody joins again, at any node, and is told the same place."""
        lost = []
        users = list(self.places.items())

        def ask(share, node):
            http = node.client(timeout=10)
            for user, place in share:
                told = http.post("/api/v1/events/show/queue", {"userId": user}).json.get("ticketNumber")
                if told != place:
                    lost.append((user, place, told))

        nodes = self.cluster.nodes
        askers = [threading.Thread(target=ask, args=(users[n::4], nodes[n % len(nodes)])) for n in range(4)]
        for a in askers:
            a.start()
        for a in askers:
            a.join()
        told = self.cluster.any().verify("show")
        print(f"{len(users)} places were acknowledged, {len(lost)} are lost; verify: ok {told['ok']}, joined {told['joined']}")
        if lost or not told["ok"] or told["joined"] < len(users) or not users:
            sys.exit(f"lost: {lost[:5]}; {told}")

    def run(self, name, times, blow, back):
        if not times:
            return
        spans, longest, failed = [], [], 0
        for n in range(times):
            a, b, c = self.strike(blow, back)
            spans.append(a)
            longest.append(b)
            failed += c
            if sys.stderr.isatty():
                print(f"\r{name} {n + 1}/{times} ", end="", file=sys.stderr, flush=True)
        tell(f"{name}: first write acknowledged", spans)
        tell(f"{name}: longest a write took", longest)
        print(f"{name}: {failed} writes failed; the slowest was number {longest.index(max(longest)) + 1}\n")


def tell(what, spans):
    spans = sorted(spans)
    at = lambda share: spans[min(len(spans) - 1, int(share * len(spans)))] * 1000
    print(f"{what}: n {len(spans)}, p50 {at(0.5):.0f} ms, p90 {at(0.9):.0f} ms, p99 {at(0.99):.0f} ms, max {spans[-1] * 1000:.0f} ms")
    edges = [10, 20, 50, 100, 200, 300, 400, 500, 700, 1000, 1500, 2000, 5000, 10_000]
    low = 0
    for high in edges:
        count = sum(1 for s in spans if low <= s * 1000 < high)
        if count:
            print(f"  {low:5} to {high:5} ms {count:5} {'#' * round(60 * count / len(spans))}")
        low = high


def read_options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=100)
    p.add_argument("--pauses", type=int, default=30)
    p.add_argument("--transfers", type=int, default=50)
    p.add_argument("--stops", type=int, default=20, help="SIGTERM, as before an upgrade")
    p.add_argument("--drains", type=int, default=0, help="of one node of four")
    p.add_argument("--writers", type=int, default=4)
    p.add_argument("--pace", type=float, default=0.002, help="seconds between two writes of one writer")
    p.add_argument("--nodes", type=int, default=3, choices=(3, 5))
    p.add_argument("--tls", action="store_true")
    return p.parse_args()


def main():
    options = read_options()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-failover-"))
    bench = Bench(options, folder)
    start = lambda node: node.start()
    try:
        bench.run("kill -9", options.kills, lambda n: n.kill(), start)
        bench.run("SIGSTOP", options.pauses, lambda n: n.pause(), lambda n: (time.sleep(0.5), n.resume()))
        bench.run("transfer", options.transfers, bench.transfer, lambda n: None)
        bench.run("SIGTERM", options.stops, lambda n: n.stop(), start)
        bench.run("drain", options.drains, bench.drain, bench.activate)
        bench.check()
    finally:
        bench.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
