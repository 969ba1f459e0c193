"""kill -9 under load, at least thirty times: at random moments, while the node starts, and while it writes checkpoints.
Afterwards the customers' own history must agree with the node and with the payment provider."""
import random
import threading
import time

from harness import Case, definition, main
from history_checks import HistoryChecks
from shopper import History, Shopper, Walker

KILLS = 36
PRICE = 1000
SEATS = [f"A-{row}-{n}" for row in range(1, 41) for n in range(1, 51)]


class Crash(HistoryChecks, Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.node = cls.make_node("--checkpoint-log-mib", "1", "--active-sessions-max", "20", provider=cls.provider)
        cls.node.start()
        cls.node.put_event(definition("show", rows=40, seats=50, area=5000, price=PRICE, limitPerUser=8,
                                      keepActiveAfterBooking=True, admission={"maxActiveUsers": 6}))
        cls.history = History()
        cls.kills = {"at random": 0, "while starting": 0, "while writing a checkpoint": 0}
        cls.run_under_fire()

    # ---- the run ----

    @classmethod
    def run_under_fire(cls):
        stop = threading.Event()
        customers = [kind(n, [cls.node], "show", cls.history, stop, SEATS, "floor")
                     for n, kind in enumerate([Shopper] * 6 + [Walker] * 2)]
        for c in customers:
            c.start()
        dice = random.Random(7)
        try:
            for n in range(KILLS):
                cls.node.wait_ready()
                time.sleep(dice.uniform(0.1, 1.5))
                if stop.is_set():
                    break
                cls.kill_once(n, dice)
                cls.node.start(wait=False)
            cls.node.wait_ready()
            time.sleep(1)  # some load without trouble, too
        finally:
            stop.set()
            for c in customers:
                c.join(60)
        failures = [repr(c.failure) for c in customers if c.failure] + [f"{c.name} hangs" for c in customers if c.is_alive()]
        if failures:
            raise AssertionError("\n".join(failures))

    @classmethod
    def kill_once(cls, n, dice):
        node, kind = cls.node, "at random"
        if n % 3 == 1:
            node.kill()
            node.start(wait=False)
            time.sleep(dice.uniform(0, 0.08))  # a start takes a tenth of a second: half of these hit it
            kind = "while starting" if not node.is_ready() else kind
        elif n % 3 == 2:
            # A node told to stop writes a checkpoint of everything first.
            node.process.terminate()
            time.sleep(dice.uniform(0, 0.03))
            kind = "while writing a checkpoint"
        if node.running:
            cls.kills[kind] += 1
        node.kill()

    # ---- what must hold ----

    def test_the_run_was_worth_something(self):
        h = self.history
        self.assertGreaterEqual(sum(self.kills.values()), 30, self.kills)
        self.assertTrue(all(self.kills.values()), self.kills)
        counts = {name: len(h.of(name)) for name in ("join", "claim", "hold", "extend", "release", "pay", "cancel", "leave")}
        retried = sum(1 for o in h.operations if o["tries"] > 1)
        print(f"\n{len(h.operations)} operations, {retried} retried, {h.unknown} tries unknown; {counts}; {self.kills}")
        self.assertTrue(all(n >= 10 for n in counts.values()), counts)
        self.assertGreaterEqual(retried, 30)
        checkpoints = [p["checkpointIndex"] for p in self.node.admin("GET", "/cluster")["partitions"]]
        self.assertTrue(any(checkpoints), "no checkpoint was ever written")


if __name__ == "__main__":
    main()
