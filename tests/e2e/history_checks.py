"""What customers wrote down against what the nodes and the provider say: nothing sold twice, nothing acknowledged lost,
everybody in order, every key answered alike, and money where seats are."""
import random

from harness import wait_for


class HistoryChecks:
    """For a Case with a `node`, a `provider` and a `history` of the event "show", which has ended."""

    def test_tickets_follow_the_order_of_joining(self):
        joins = sorted(self.history.of("join"), key=lambda o: o["asked"])
        tickets = [o["answer"]["ticketNumber"] for o in joins]
        self.assertEqual(len(set(tickets)), len(tickets), "a ticket was given twice")
        told = sorted(joins, key=lambda o: o["told"])
        highest, at = 0, 0
        for o in joins:  # whoever was answered before this one asked stands in front of it
            while at < len(told) and told[at]["told"] < o["asked"]:
                highest = max(highest, told[at]["answer"]["ticketNumber"])
                at += 1
            self.assertGreater(o["answer"]["ticketNumber"], highest, o)

    def test_places_only_get_better(self):
        best = {}
        for asked, told, ticket, state, position in sorted(self.history.sightings):
            before = best.get(ticket)
            if before and before[0] < asked:
                if before[1] != "WAITING":
                    self.assertNotEqual(state, "WAITING", f"ticket {ticket} went back into the line")
                elif state == "WAITING":
                    self.assertLessEqual(position, before[2], f"ticket {ticket} moved back")
            if before is None or told > before[0]:
                best[ticket] = (told, state, position)

    def test_nobody_was_overtaken(self):
        seen_inside = sorted((told, ticket) for _, told, ticket, state, _ in self.history.sightings
                             if state in ("ADMITTED", "ACTIVE"))
        waiting = sorted((asked, ticket) for asked, _, ticket, state, _ in self.history.sightings if state == "WAITING")
        highest, at = 0, 0
        for asked, ticket in waiting:
            while at < len(seen_inside) and seen_inside[at][0] < asked:
                highest = max(highest, seen_inside[at][1])
                at += 1
            self.assertGreater(ticket, highest, "a later ticket was inside while an earlier one waited")

    def test_no_seat_had_two_holders_at_once(self):
        by_seat = {}
        for hold in self.history.holds.values():
            for seat in hold["seats"]:
                by_seat.setdefault(seat, []).append((hold["held"], hold["free_from"], hold["id"]))
        for seat, stays in by_seat.items():
            stays.sort()
            for (_, free, one), (held, _, other) in zip(stays, stays[1:]):
                self.assertGreaterEqual(held, free, f"{seat} was held by {one} and {other}")

    def settled(self, hold):
        client = self.node.client(hold["token"])
        path = "/api/v1/reservations/" + hold["reservation"]
        read = lambda: (told := client.get(path).json)["state"] in ("CONFIRMED", "FAILED", "REFUNDED", "CANCELLED") and told
        return wait_for(read, 30, f"{path} settles", 0.1)

    def test_everything_sold_is_there_and_paid_for(self):
        payments = self.provider.payments
        sold, places, revenue = set(), 0, 0
        reservations = {h["reservation"]: h for h in self.history.holds.values() if h["reservation"]}
        settled = {id: self.settled(hold) for id, hold in reservations.items()}
        wait_for(lambda: all(p["state"] != "AUTHORISED" for p in payments().values()), 30, "the provider's books settle", 0.5)
        books = payments()
        self.assertLessEqual(books.keys(), reservations.keys(), "money for reservations nobody made")
        for id, told in settled.items():
            hold = reservations[id]
            book = books.get(id, {"captured": 0, "refunded": 0, "captures": 0})
            self.assertLessEqual(book["captures"], 1, id)
            if told["state"] == "CONFIRMED":
                self.assertEqual(hold["free_from"], float("inf"))
                self.assertEqual((book["captured"], book["refunded"]), (told["amount"], 0), id)
                self.assertTrue(sold.isdisjoint(s["id"] for s in told["seats"]), "sold twice")
                self.assertEqual(sorted(s["id"] for s in told["seats"]), sorted(hold["seats"]))
                sold.update(hold["seats"])
                places += hold["places"]
                revenue += told["amount"]
            else:
                self.assertNotEqual(hold["free_from"], float("inf"), f"{id} was confirmed and is {told['state']}")
                self.assertEqual(book["captured"], book["refunded"], f"{id} is {told['state']}")
        read = lambda: {s["id"] for s in self.node.client().get("/api/v1/events/show/blocks/A").json["seats"]
                        if s["status"] != "AVAILABLE"}
        wait_for(lambda: read() == sold, 20, "the seat map shows what was sold and nothing else", 0.2)
        stats = self.node.stats("show")
        self.assertEqual((stats["held"], stats["confirmed"], stats["sold"], stats["revenue"]),
                         (0, len(sold) + places, len(sold) + places, revenue))
        ranked = lambda: [r["soldOutCount"] for r in self.node.client().get("/api/v1/concerts/ranking").json
                          if r["concertDate"] == "2031-05-01"]
        wait_for(lambda: ranked() == [len(sold) + places], 10, "the ranking counts what was sold")
        totals = self.provider.totals()
        self.assertEqual(totals["captured"]["amounts"].get("EUR", 0) - totals["refunded"]["amounts"].get("EUR", 0), revenue)
        self.assertEqual(totals["doubleCaptures"], 0)

    def test_one_answer_for_each_key(self):
        client = self.node.client()
        told = self.history.of("hold") + self.history.of("pay")
        for o in random.Random(1).sample(told, min(len(told), 1_000)):
            if o["status"] == 409:
                continue  # refused: not remembered
            again = client.request(o["method"], o["path"], o["body"], o["token"], {"Idempotency-Key": o["key"]})
            self.assertEqual((again.status, again.json), (o["status"], o["answer"]), o)
            other = {"area": "floor", "quantity": 3} if o["name"] == "hold" else {"method": "card", "card": "4111111111111111"}
            again = client.request(o["method"], o["path"], other, o["token"], {"Idempotency-Key": o["key"]})
            self.assert_problem(again, 422, "IDEMPOTENCY_KEY_REUSED")

    def test_tokens_and_places_outlive_every_crash(self):
        client = self.node.client()
        ended = {o["token"]: "LEFT" for o in self.history.of("leave")}
        ended.update({o["token"]: "COMPLETED" for o in self.history.of("complete")})
        tickets = {o["answer"]["token"]: o["answer"]["ticketNumber"] for o in self.history.of("join")}
        for token, ticket in tickets.items():
            told = client.get("/api/v1/events/show/queue", token).json
            self.assertEqual(told["ticketNumber"], ticket)
            if token in ended:
                self.assertEqual(told["state"], ended[token])
        admissions = {}
        for o in self.history.of("claim"):
            if o["status"] == 200:
                admissions.setdefault(o["token"], set()).add(o["answer"]["admissionToken"])
        self.assertTrue(all(len(given) == 1 for given in admissions.values()), "a turn was claimed with two tokens")

    def test_the_recount_from_the_log_is_clean(self):
        told = self.assert_adds_up(self.node, "show")
        self.assertEqual(told["joined"], len(self.history.of("join")))
        done = self.node.ctl("--json", "verify")
        self.assertEqual(done.returncode, 0, done)
