"""A house sold out over HTTP: a seating plan becomes an event file, the bench's crowd buys it empty, and plan, bench, node, log
and provider tell the same story."""
import json

from ctl_test import CtlCase
from harness import REPOSITORY, Customer, main, wait_for

PLAN = REPOSITORY / "tools" / "demo" / "plan.json"
PREMIUM, OTHERS = 12_000, 6_000


class Sellout(CtlCase):
    """The seats of a plan, from its file to the last one sold."""

    def import_plan(self):
        """Seats of the plan, with what each costs; `opera.yaml` is the event made of it."""
        plan = json.loads(PLAN.read_text())
        seats = {s["seat_guid"]: PREMIUM if s["category"] == "Premium" else OTHERS
                 for zone in plan["zones"] for row in zone["rows"] for s in row["seats"]}
        done = self.ctl_json("event", "import-plan", PLAN, "--id", "opera", "--price", f"Premium={PREMIUM}", "--default-price",
                             OTHERS, "--starts-at", "2031-01-02T19:00", "-o", "opera.yaml")[0]
        self.assertEqual(done["seats"], len(seats))
        return seats

    def sell_out(self):
        """What the bench found."""
        bench = self.node.bench("sellout", "--file", "opera.yaml", "-c", 64, "--users-per-minute", 6_000_000, "--json", "-", cwd=self.files)
        told, complaint = bench.communicate(timeout=120)
        self.assertEqual(bench.returncode, 0, told[-2000:] + complaint)
        return json.loads(told)

    def assert_all_sold(self, seats):
        """Log, figures and each seat say so."""
        proof = self.ctl_json("verify", "opera")[0]
        self.assertEqual((proof["ok"], proof["oversold"], proof["seatsWithTwoOwners"], proof["mismatches"]), (True, 0, 0, []))
        self.assertEqual((proof["capacity"], proof["confirmed"]), (len(seats), len(seats)))
        self.assertEqual((proof["available"], proof["held"], proof["blocked"]), (0, 0, 0))
        self.assertIn("opera: ok", self.ctl("verify").stdout)
        stats = wait_for(lambda: (s := self.ctl_json("event", "stats", "opera")[0])["phase"] == "SOLD_OUT" and s, 10,
                         "the figures say that it is sold out", 0.1)
        self.assertEqual((stats["confirmed"], stats["available"], stats["held"]), (len(seats), 0, 0))
        self.assertEqual((stats["sold"], stats["revenue"]), (len(seats), sum(seats.values())))
        http = self.node.client()
        shown = {s["id"]: s["status"] for b in http.get("/api/v1/events/opera/availability").json["blocks"]
                 for s in http.get(f"/api/v1/events/opera/blocks/{b['id']}").json["seats"]}
        self.assertEqual(shown, dict.fromkeys(seats, "CONFIRMED"))

    def test_an_imported_plan_is_sold_to_the_last_seat(self):
        seats = self.import_plan()
        self.assertGreaterEqual(len(seats), 2000)
        told = self.sell_out()
        self.assertEqual((told["ok"], told["failures"]), (True, []))
        figures = told["figures"]
        self.assertEqual((figures["soldByHistory"], figures["soldByNode"], figures["verify"]), (len(seats), len(seats), "ok"))
        self.assert_all_sold(seats)

        totals = self.provider.totals()
        self.assertEqual(totals["doubleCaptures"], 0)
        taken, returned = (totals[name]["amounts"].get("EUR", 0) for name in ("captured", "refunded"))
        self.assertEqual(taken - returned, sum(seats.values()))

        late = Customer(self.node, "opera")
        self.assert_problem(late.http.post(late.base + "/queue", {"userId": late.user}), 409, "SOLD_OUT")
        self.node.kill()
        self.node.start()
        self.assert_all_sold(seats)


if __name__ == "__main__":
    main()
