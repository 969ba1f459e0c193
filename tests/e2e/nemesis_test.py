"""Everything at once: customers on three nodes, and a nemesis with a seed that kills, freezes, parts, starves and wipes them.
Afterwards the customers' history, the logs of all replicas, every node and the provider's ledger tell one story.

    python3 tests/e2e/nemesis_test.py --minutes 30 --seed 8 [--plain] [--relays]

A fault this machine does not allow is reported as skipped. A run in which too little succeeded, in which a fault was left out or
did nothing that could be seen, or in which nobody noticed anything, proves nothing and fails as INVALID."""
import argparse
import collections
import random
import sys
import threading
import time

import narrow_sale
import nemesis_faults
import nemesis_wires
import seat_check
from bystanders import Forger, Listener, Once, Onlooker
from cluster import Cluster, ClusterCase
from harness import Customer, definition, main, wait_for
from history_checks import HistoryChecks
from line_witness import Line
from log_witness import Recorder, Witness
from programs import Provider
from shopper import History, Shopper, Walker

OPTIONS = argparse.Namespace(minutes=1.5, seed=1, tls=True, relays=False)
ROWS, PER_ROW, PLACES = 40, 50, 5000
SEATS = [f"A-{row}-{n}" for row in range(1, ROWS + 1) for n in range(1, PER_ROW + 1)]
OWN_SEATS = SEATS[-PER_ROW:]  # of who asks only once
SHOPPERS, WALKERS = 6, 1
ACTIVE_MAX = 6
OVERTIME = 25  # seconds more at most, until every fault struck once
PACE = 0.02  # seconds between two questions: the machine has other things to do, and what is done must be checked


Strike = collections.namedtuple("Strike", "name details began healed back seen tries")


class World:
    """What faults act on."""

    def __init__(self, cluster, wires, seed, folder):
        self.cluster = cluster
        self.wires = wires
        self.dice = random.Random(seed)
        self.folder = folder

    def victim(self):
        """Mostly who leads the sale: there it hurts most."""
        if self.dice.random() < 0.6:
            return self.cluster.leader_of_event("show")
        return self.dice.choice(self.cluster.nodes)

    @staticmethod
    def try_admin(node, method, path, body):
        try:
            answer = node.client(node.key, timeout=8).request(method, "/admin/v1" + path, body)
        except OSError:
            return None
        return (answer.json if answer.body else {}) if answer.status < 300 else None


class Nemesis(HistoryChecks, ClusterCase):
    @classmethod
    def setUpClass(cls):
        super(ClusterCase, cls).setUpClass()
        cls.wires, cls.no_namespaces = (nemesis_wires.Relays(3), "not wanted") if OPTIONS.relays else nemesis_wires.best(3)
        cls.addClassCleanup(cls.part)
        cls.wires.open()
        cls.provider = Provider(cls.make_folder("provider"), host=cls.wires.here)
        cls.programs.append(cls.provider)
        cls.provider.start()
        cls.cluster = Cluster(cls.make_folder("cluster"), cls.provider, 3, cls.wires.secure and OPTIONS.tls,
                              ("--checkpoint-log-mib", "4", "--active-sessions-max", "50"), cls.wires.hosts)
        cls.programs += cls.cluster.nodes
        for node in cls.cluster.nodes:
            cls.wires.equip(node)
            if cls.wires.secure and not OPTIONS.tls:
                node.extra.append("--insecure-peers")
        cls.world = World(cls.cluster, cls.wires, OPTIONS.seed, cls.folder)
        cls.choose_faults()
        cls.cluster.start()
        cls.cluster.put_event(definition("show", rows=ROWS, seats=PER_ROW, area=PLACES, price=1000, limitPerUser=8,
                                         holdTtlSeconds=7200, keepActiveAfterBooking=True,
                                         admission={"maxActiveUsers": ACTIVE_MAX, "activeTtlSeconds": 14400, "claimWindowSeconds": 900}))
        cls.cluster.put_event(definition("elsewhere", admission={"activeTtlSeconds": 14400}))
        cls.narrow_number = cls.cluster.put_event(narrow_sale.event_file())
        cls.history, cls.narrow_history = History(), History()
        cls.diary = []  # of Strikes
        cls.recorders = {p: Recorder(cls.cluster, p) for p in cls.cluster.homes.values()}
        cls.terms_before = cls.term()
        for recorder in cls.recorders.values():
            for node in cls.cluster.nodes:
                recorder.copy(node)  # while a page still begins with the first entry
            recorder.start()
        cls.rage()
        for recorder in cls.recorders.values():
            recorder.finish()
        cls.node = cls.cluster[1]

    mounted = None

    @classmethod
    def part(cls):
        """Before the folders go: nothing runs in the namespaces any more, and nothing is mounted."""
        for program in reversed(cls.programs):
            program.end()
        if cls.mounted:
            nemesis_faults.FullDisk.unmount(cls.mounted)
        cls.wires.close()

    @classmethod
    def choose_faults(cls):
        cls.skipped = {}
        cls.faults = []
        for kind in nemesis_faults.ALL:
            why = kind(cls.world).missing()
            if why:
                cls.skipped[kind.name] = why
            else:
                cls.faults.append(kind)
        if cls.no_namespaces:
            cls.skipped["network namespaces"] = cls.no_namespaces + "; relays take their place"
        if nemesis_faults.FullDisk in cls.faults:
            last = cls.cluster.nodes[-1]
            failed = nemesis_faults.FullDisk.mount(last)
            assert not failed, failed
            cls.mounted = last

    @classmethod
    def term(cls):
        return next(p["term"] for p in cls.cluster.describe()["partitions"] if p["id"] == cls.cluster.homes["show"])

    # ---- the run ----

    @classmethod
    def rage(cls):
        stop = threading.Event()
        kinds = [Shopper] * SHOPPERS + [Walker] * WALKERS
        seats = SEATS[:-PER_ROW]
        customers = [kind(n, cls.cluster.nodes, "show", cls.history, stop, seats, "floor") for n, kind in enumerate(kinds)]
        for c in customers:
            c.pace = PACE
        customers += [narrow_sale.Visitors(n, cls.cluster.nodes, narrow_sale.EVENT, cls.narrow_history, stop,
                                           narrow_sale.SEATS, "") for n in range(narrow_sale.VISITORS)]
        cls.operator = narrow_sale.Operator(cls.cluster.nodes, OPTIONS.minutes * 60, stop)
        cls.once = Once(len(customers), cls.cluster.nodes, "show", cls.history, stop, OWN_SEATS, "floor")
        cls.forger = Forger(len(customers) + 1, cls.cluster.nodes, "show", cls.history, stop, OWN_SEATS, "floor",
                            foreign=Customer(cls.cluster[1], "elsewhere").enter().admission)
        customers += [cls.once, cls.forger]
        cls.listeners = [Listener(node, "show") for node in cls.cluster.nodes]
        cls.onlookers = [Onlooker(node, "show") for node in cls.cluster.nodes]
        for c in [*customers, cls.operator, *cls.listeners, *cls.onlookers]:
            c.start()
        try:
            time.sleep(1)
            until = time.monotonic() + OPTIONS.minutes * 60
            deck = []
            while not stop.is_set():
                late = len(cls.diary) < len(cls.faults) and time.monotonic() < until + OVERTIME
                if time.monotonic() >= until and not late:
                    break
                if not deck:  # every fault comes up before any comes twice
                    deck = list(cls.faults)
                    cls.world.dice.shuffle(deck)
                cls.strike(deck.pop()(cls.world))
                time.sleep(cls.world.dice.uniform(0.2, 2))
            cls.operator.join(20)
            cls.operator.act("close", {})
            stop.wait(2)  # for those who still try
        finally:
            stop.set()
            threads = [*customers, cls.operator]
            for c in threads:
                c.join(90)
        failures = [repr(c.failure) for c in threads if c.failure] + [f"{c.name} hangs" for c in threads if c.is_alive()]
        if failures:
            raise AssertionError(f"seed {OPTIONS.seed}, after {cls.diary}:\n" + "\n".join(failures))

    @classmethod
    def strike(cls, fault):
        print(f"{fault.name} ", end="", file=sys.stderr, flush=True)
        traces = nemesis_faults.Traces(cls.cluster)
        wait_for(lambda: not traces.closed_lines(), 20, lambda: f"all lines are open; not {traces.closed_lines()}", 0.1)
        began = time.monotonic()
        details = fault.begin()
        time.sleep(cls.world.dice.uniform(*fault.lasts))
        fault.end()
        healed = time.monotonic()
        for node in cls.cluster.nodes:
            node.wait_ready()
        cls.cluster.await_replicated(3)
        back = time.monotonic()
        seen = fault.seen(traces)
        tries = sum(1 for when, *_ in cls.history.failures + cls.narrow_history.failures if began <= when <= back)
        cls.diary.append(Strike(fault.name, details, began, healed, back, seen, tries))
        print(f"{details}, {seen or 'nothing seen of it'}, {tries} tries failed, back after {back - healed:.1f} s",
              file=sys.stderr, flush=True)

    # ---- what must hold ----

    def test_a_the_run_was_worth_something(self):
        h = self.history
        counts = {name: len(h.of(name)) for name in ("join", "claim", "hold", "extend", "release", "pay", "cancel", "leave")}
        struck = collections.Counter(s.name for s in self.diary)
        left_out = [f.name for f in self.faults if f.name not in struck]
        print(f"\nseed {OPTIONS.seed}: {len(h.operations)} operations, {h.unknown} tries unknown, terms "
              f"{self.terms_before} to {self.term()}; {counts}; {dict(struck)}")
        for name, why in self.skipped.items():
            print(f"SKIPPED {name}: {why}")
        for name in left_out:
            print(f"LEFT OUT {name}: the time was over")
        few = 5 * OPTIONS.minutes
        self.assertTrue(all(n >= few for n in counts.values()), f"INVALID: too little succeeded: {counts}")
        self.assertGreater(self.term() - self.terms_before, OPTIONS.minutes, "INVALID: leaders hardly changed")
        self.assertGreater(h.unknown, 5 * OPTIONS.minutes, "INVALID: nobody noticed anything")
        names = [f.name for f in self.faults]
        self.assertEqual(self.invalid_faults(self.diary, names), [], "INVALID")
        one = self.diary[0].name
        idle, some = [s._replace(seen="") if s.name == one else s for s in self.diary], self.diary[:len(names) // 2]
        without = [s for s in self.diary if s.name != one] * 2
        self.assertTrue(all(self.invalid_faults(told, names) for told in (idle, some, without)), "these would be INVALID")

    @staticmethod
    def invalid_faults(diary, names):
        """Why the faults of a run prove nothing."""
        struck = {s.name for s in diary}
        missing = [name for name in names if name not in struck]
        found = [f"{s.name} of {s.details} did nothing that could be seen" for s in diary if not s.seen]
        if len(diary) >= len(names) and missing:
            found.append(f"a whole deck was played without {missing}")
        if len(missing) > len(names) // 4:
            found.append(f"the time was too short for {missing}")
        if not sum(s.tries for s in diary) and diary:
            found.append("no fault cost anybody a try")
        return found

    def test_all_replicas_wrote_the_same(self):
        for recorder in self.recorders.values():
            self.assertEqual(recorder.disagreements()[:3], [])
        self.cluster.await_equal_states()

    def log_of(self, event):
        log, gaps = self.recorders[self.cluster.homes[event]].merged()
        self.assertEqual(gaps, [])
        self.assertEqual(log[0][0], 1)
        return log

    def test_one_log_explains_every_answer(self):
        log = self.log_of("show")
        witness = Witness(log, SEATS, PLACES)
        self.assertEqual(witness.model.mistakes, [])
        self.assertEqual(witness.order_mistakes()[:3], [])
        self.assertEqual(witness.lost(self.history)[:3], [], "acknowledged, and in no log")
        self.assertEqual(witness.real_time_mistakes(self.history)[:3], [])
        self.assertEqual(witness.wrong_answers(self.history)[:3], [])
        sold = {s for r in witness.model.reservations.values() if r["state"] == "CONFIRMED" for s in r["seats"]}
        shown = {s["id"] for s in self.node.client().get("/api/v1/events/show/blocks/A").json["seats"] if s["status"] != "AVAILABLE"}
        self.assertEqual(sold, shown)
        print(f"\n{len(log)} entries replayed")

    def test_each_seat_alone_is_linearizable(self):
        seat_check.self_check()
        seats = seat_check.operations_of_seats(self.history)
        told = {seat: seat_check.is_possible(operations) for seat, operations in seats.items()}
        wrong = {seat: sorted(seats[seat]) for seat, possible in told.items() if possible is False}
        self.assertEqual(wrong, {})
        unclear = [seat for seat, possible in told.items() if possible is None]
        self.assertLessEqual(len(unclear), len(seats) // 100, "INVALID: too many seats could not be decided")
        print(f"\n{len(seats)} seats, {sum(map(len, seats.values()))} operations, {len(unclear)} undecided")

    def test_the_checkers_see_lies(self):
        log = self.log_of("show")
        lied = lambda change: Witness(change(log), SEATS, PLACES)
        held = next(o for o in self.history.of("hold") if o["status"] == 201 and o["answer"]["seats"])
        joined = self.history.of("join")[0]
        last = max(self.history.of("join"), key=lambda o: o["answer"]["ticketNumber"])

        def history_with(old, **new):
            changed = History()
            changed.operations = [{**o, **new} if o is old else o for o in self.history.operations]
            changed.holds = self.history.holds
            return changed
        honest = Witness(log, SEATS, PLACES)
        self.assertTrue(honest.wrong_answers(history_with(held, status=409)))
        self.assertTrue(honest.wrong_answers(history_with(joined, answer={**joined["answer"], "ticketNumber": 10 ** 9})))
        self.assertTrue(honest.real_time_mistakes(history_with(last, asked=0.0, told=0.1)))
        without = lambda entries: [e for e in entries if held["key"] not in str(e[4])]
        self.assertTrue(lied(without).lost(self.history))
        self.assertTrue(lied(without).wrong_answers(self.history))
        backwards = lambda entries: [(i, 10 ** 6 - t, *rest) for i, t, *rest in entries[:-5]] + entries[-5:]
        self.assertTrue(lied(backwards).order_mistakes())
        twice = history_with(None)
        twice.operations = self.history.operations + [
            {**held, "key": "x", "answer": {**held["answer"], "holdId": "another"}}]
        seat = held["answer"]["seats"][0]["id"]
        self.assertFalse(seat_check.is_possible(seat_check.operations_of_seats(twice)[seat]))

    def line(self, log=None, **settings):
        return Line(log or self.log_of("narrow"), self.narrow_number, {**narrow_sale.SETTINGS, **settings}, self.narrow_history)

    def test_the_narrow_sale_kept_its_word(self):
        line = self.line()
        codes = collections.Counter(o["answer"]["code"] for o in self.narrow_history.operations if o["status"] >= 400)
        figures = {"tickets": len(line.tickets), "seen let in": len(line.inside), "claimed": len(line.told_until),
                   "over": sum(1 for o in self.narrow_history.of("look") if o["answer"]["state"] == "EXPIRED"),
                   "full": line.times_full(), "holds": len(line.accepted), **codes}
        print(f"\n{figures}")
        self.assertEqual(line.all_mistakes(), {})
        wait_for(lambda: self.node.stats("narrow")["activeUsers"] == 0, 15, "the last visits end")
        told = self.node.verify("narrow")
        self.assertEqual(told["joined"], len(line.tickets))
        self.assertGreater(len(line.inside), 0.7 * told["admitted"], "INVALID: too few were seen let in")
        wanted = ("claimed", "over", "full", "holds", "TICKET_EXPIRED", "HOLD_LAPSED", "NOT_ADMITTED", "LIMIT_PER_USER")
        few = 2 * OPTIONS.minutes
        self.assertTrue(all(figures.get(name, 0) >= few for name in wanted) and codes["EVENT_CLOSED"], f"INVALID: {figures}")
        self.assertEqual(len(line.pauses), 2)

    def test_the_narrow_checks_see_lies(self):
        log = self.log_of("narrow")
        lies = [("outflow", {"rate": 250}), ("idle", {"rate": 1_200}), ("cap", {"cap": 9}), ("idle", {"cap": 20}),
                ("times", {"window": 1_900}), ("claim", {"visit": 6_900}), ("answer", {"hold": 4_900}),
                ("answer", {"hold": 5_100}), ("limit", {"limit": 1}), ("answer", {"limit": 3})]
        for kind, lie in lies:
            with self.subTest(lie=lie):
                self.assertIn(kind, self.line(log, **lie).all_mistakes())
        pause, resume, close = 2, 3, 4
        for kind, action, by in (("pause", pause, -100), ("pause", resume, 100), ("answer", close, -400), ("join", close, 10)):
            with self.subTest(action=action, by=by):
                self.assertIn(kind, self.line(self.moved(log, action, by)).all_mistakes())
        for kind, lie in (("claim", lambda t: t.admitted + 2_000), ("claim", lambda t: None)):
            line = self.line(log)
            t = next(t for t in line.inside if t.claimed and t.claimed > t.admitted and t.gone is None)
            t.claimed = lie(t)
            self.assertIn(kind, line.all_mistakes())
        line = self.line(log)
        line.inside[5].admitted, line.inside[9].admitted = line.inside[9].admitted, line.inside[5].admitted
        self.assertIn("order", line.all_mistakes())
        line = self.line(log)
        for t in line.inside:
            t.admitted += 1_000
        self.assertIn("state", line.all_mistakes())

    @staticmethod
    def moved(log, action, by):
        """The log, with the first such word of the operator so many entries earlier or later."""
        entries = [[*e[:4], list(e[4]), e[5]] for e in log]
        at, word = next((n, c) for n, e in enumerate(entries) for c in e[4]
                        if c["command"].get("controlEvent", {}).get("action") == action)
        entries[at][4].remove(word)
        step = 1 if by > 0 else -1
        at = min(max(1, at + by), len(entries) - 1)
        while not entries[at][3]:  # to one with a time
            at += step
        entries[at][4].insert(0, word)
        return [tuple(e) for e in entries]

    def test_every_replica_can_prove_it(self):
        partition = self.cluster.homes["show"]
        for node in self.cluster.nodes:
            self.cluster.make_lead(node, partition)
            with self.subTest(leader=node.title):
                told = self.assert_adds_up(node, "show")
                self.assertEqual(told["joined"], len({o["answer"]["ticketNumber"] for o in self.history.of("join")}))

    # ---- those who look on ----

    def test_every_listener_saw_the_sale(self):
        witness = Witness(self.log_of("show"), SEATS, PLACES)
        read = lambda: {s["id"]: s["status"] for s in self.node.client().get("/api/v1/events/show/blocks/A").json["seats"]
                        if s["status"] != "AVAILABLE"}
        for listener in self.listeners:
            wait_for(lambda: listener.picture()[0] == read(), 20, lambda: f"{listener.node.title} hears of the last seat", 0.2)
            told = self.node.client().get("/api/v1/events/show/availability").json["areas"][0]
            self.assertEqual(listener.picture()[1]["floor"].items() - told.items(), set())
            self.assertEqual(listener.mistakes(witness.taken())[:3], [])
            self.assertGreater(len(listener.heard), 1, "INVALID: no stream ever broke")
        told = [sum(map(len, listener.heard)) for listener in self.listeners]
        print(f"\n{told} events in {[len(listener.heard) for listener in self.listeners]} streams")
        self.assertTrue(all(n > 10 * OPTIONS.minutes for n in told), "INVALID: the listeners heard little")

    def test_every_onlooker_saw_the_line(self):
        for onlooker in self.onlookers:
            self.assertEqual(onlooker.mistakes(ROWS * PER_ROW + PLACES, ACTIVE_MAX)[:3], [])
            self.assertTrue(onlooker.mistakes(ROWS * PER_ROW + PLACES - 1, ACTIVE_MAX))
            self.assertTrue(onlooker.mistakes(ROWS * PER_ROW + PLACES, 0))
        told = [sum(map(len, onlooker.heard)) for onlooker in self.onlookers]
        self.assertTrue(all(n > 10 * OPTIONS.minutes for n in told), f"INVALID: the onlookers heard little, {told}")

    def test_the_listeners_are_checked(self):
        witness = Witness(self.log_of("show"), SEATS, PLACES)
        honest = self.listeners[0]
        for lie in (lambda v, id, some, places: (v, id, {}, places),
                    lambda v, id, some, places: (v, str(v - 1), some, places),
                    lambda v, id, some, places: (v - 40, str(v - 40), some, places)):
            liar = Listener(honest.node, "show")
            liar.heard = [[lie(*event) for event in heard] for heard in honest.heard]
            self.assertTrue(liar.mistakes(witness.taken()))

    def test_what_was_turned_away_had_no_effect(self):
        witness = Witness(self.log_of("show"), SEATS, PLACES)
        codes = collections.Counter(o["code"] or o["status"] for o in self.once.tries)
        told, vain = self.judge(self.once.tries, witness)
        print(f"\nasked once: {dict(codes)}; took effect, though there was no answer in time: {len(vain)}")
        self.assertEqual(told, [])
        self.assertGreater(codes[201], 5 * OPTIONS.minutes, "INVALID: too few had an answer")
        lied = [{**t, "status": 503, "code": "OVERLOADED"} if t["status"] == 201 else t for t in self.once.tries]
        self.assertTrue(self.judge(lied, witness)[0])

    def test_no_bad_token_opened_anything(self):
        accepted = {key for _, key in Witness(self.log_of("show"), SEATS, PLACES).model.by_key}
        let_in = lambda t: t["status"] not in (401, 403, 503, None) or t["key"] in accepted
        self.assertEqual([t for t in self.forger.tries if let_in(t)], [])
        refused = collections.Counter(t["what"] for t in self.forger.tries if t["status"] in (401, 403))
        print(f"\ntokens refused: {dict(refused)}")
        self.assertEqual(refused.keys(), Forger.WAYS, "INVALID: some were never shown")
        self.assertTrue(any(let_in(t) for t in self.once.tries))

    @staticmethod
    def judge(tries, witness):
        """(those whose answer is not what the log says, those without an answer that took effect)."""
        accepted = {key for _, key in witness.model.by_key}
        wrong, vain = [], []
        for t in tries:
            if t["status"] in (None, 503) and t["code"] in (None, "TIMED_OUT"):
                vain += [t] if t["key"] in accepted else []
            elif (t["status"] == 201) != (t["key"] in accepted):
                wrong.append(t)
            elif t["status"] == 503 and ("hold", t["key"]) in witness.model.first:
                wrong.append(t)
        return wrong, vain

    def test_the_audit_holds_what_operators_did(self):
        line = self.line()
        expected = [(index, what) for index, what, _ in line.orders]
        for node in self.cluster.nodes:
            self.cluster.make_lead(node, self.cluster.homes["narrow"])
            records = node.admin("GET", "/events/narrow/audit")["records"]
            self.assertEqual([(r["index"], r["what"]) for r in records], expected)
            self.assertTrue(all(r["by"] for r in records))
        asked = collections.Counter(w["what"] for w in self.operator.writes)
        tried = collections.Counter()
        for w in self.operator.writes:
            tried[w["what"]] += w["tries"]
        held = collections.Counter(what for _, what in expected)
        self.assertEqual(held.pop("defined"), 1)
        self.assertEqual(held.keys(), asked.keys())
        self.assertTrue(all(asked[what] <= held[what] <= tried[what] for what in held), (asked, held, tried))
        wiped = collections.Counter(s.details for s in self.diary if s.name == "wipe")
        records = self.node.admin("GET", "/cluster/audit")["records"]
        self.assertEqual(collections.Counter(r["subject"] for r in records if r["what"] == "node replaced"), wiped)
        made = collections.Counter(r["subject"] for r in records if r["what"] == "join token made" and r["subject"])
        self.assertTrue(all(made[name] >= wiped[name] for name in wiped), (made, wiped))

    def test_nothing_stays_open(self):
        told = lambda: [p["openEffects"] for p in self.node.describe()["partitions"]]
        wait_for(lambda: not any(told()), 60, lambda: f"no charge stays open; {told()}", 0.5)


def read_options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=OPTIONS.minutes)
    p.add_argument("--seed", type=int, default=OPTIONS.seed)
    p.add_argument("--plain", dest="tls", action="store_false", help="no certificates between nodes")
    p.add_argument("--relays", action="store_true", help="no network namespaces, even where they are to be had; implies --plain")
    _, rest = p.parse_known_args(namespace=OPTIONS)
    sys.argv[1:] = rest


if __name__ == "__main__":
    read_options()
    main()
