"""Server-sent events: their names, ids and order, and that they end or go on as the contract says."""
import threading

import contract
from contract import ContractCase
from harness import EventStream, definition, exchange, main, parse_answer


class Streams(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("narrow", admission={"maxActiveUsers": 1}))
        cls.node.put_event(definition("show", rows=4, area=10, keepActiveAfterBooking=True))

    def open(self, path, token=None, **headers):
        stream = EventStream(self.node.port, path, token, **headers)
        self.addCleanup(stream.close)
        self.assertEqual(stream.answer.status, 200)
        self.assertEqual(stream.answer.headers["Content-Type"], "text/event-stream")
        self.assertTrue(stream.answer.headers["X-Request-ID"])
        return stream

    def test_the_own_place(self):
        inside = self.customer("narrow").enter()
        front, back = self.customer("narrow"), self.customer("narrow")
        front.join()
        back.join()
        stream = self.open(f"{back.base}/queue/stream?token={back.token}")
        first = stream.next()
        self.assertIsNotNone(stream.retry)
        self.assertEqual(first["event"], "position")
        self.assertTrue(first["id"].isdigit())
        self.assert_shape(first["data"], contract.TICKET)
        self.assertEqual(first["data"]["usersAhead"], 1)
        front.http.delete(front.base + "/queue", front.token)
        moved = stream.until(lambda e: e["event"] == "position")
        self.assertEqual(moved["data"]["usersAhead"], 0)
        self.node.act("narrow", "message", {"message": "Two minutes"})
        self.assertEqual(stream.until(lambda e: e["event"] == "notice")["data"]["message"], "Two minutes")
        inside.http.post(inside.base + "/queue/complete", {}, inside.token)
        turn = stream.until(lambda e: e["event"] == "admitted")
        self.assert_shape(turn["data"], {**contract.TICKET, "claimBefore": contract.is_time})
        self.assertGreaterEqual(int(turn["id"]), int(first["id"]))
        back.http.post(back.base + "/queue/complete", {}, back.token)
        ended = stream.until(lambda e: e["event"] == "expired")
        self.assertEqual(ended["data"]["state"], "COMPLETED")
        self.assertIsNone(stream.next())

    def test_resuming_starts_with_the_present(self):
        c = self.customer("narrow")
        c.join()
        for last in ("1", "999999999", "-1", "garbage"):
            stream = self.open(c.base + "/queue/stream", c.token, Last_Event_ID=last)
            self.assert_shape(stream.next()["data"], contract.TICKET)
        c.http.delete(c.base + "/queue", c.token)

    def test_the_own_place_tells_of_the_booking(self):
        c = self.customer("show").enter()
        stream = self.open(c.base + "/queue/stream", c.token)
        stream.until(lambda e: e["event"] == "admitted")
        made = c.pay(c.hold("A-4-1"))
        told = stream.until(lambda e: e["event"] == "booking" and e["data"]["state"] == "CONFIRMED")
        self.assert_shape(told["data"], contract.RESERVATION)
        self.assertEqual(told["data"]["reservationId"], made)
        again = self.open(c.base + "/queue/stream", c.token, Last_Event_ID=told.get("id", "0"))
        told = again.until(lambda e: e["event"] == "booking")  # what was missed meanwhile
        self.assertEqual((told["data"]["reservationId"], told["data"]["state"]), (made, "CONFIRMED"))

    def test_the_board(self):
        stream = self.open("/api/v1/events/show/status/stream")
        first = stream.next()
        self.assert_shape(first["data"], contract.STATUS)
        self.node.act("show", "message", {"message": "Soon"})
        stream.until(lambda e: e["data"]["message"] == "Soon")

    def test_seats_by_version(self):
        stream = self.open("/api/v1/events/show/seats/stream")
        c = self.customer("show").enter()
        answer = c.try_hold({"seats": ["A-1-1"]})
        held = stream.until(lambda e: {"id": "A-1-1", "status": "HELD"} in e["data"]["seats"])
        c.http.delete(answer.headers["Location"], c.admission)
        freed = stream.until(lambda e: {"id": "A-1-1", "status": "AVAILABLE"} in e["data"]["seats"])
        self.assertGreater(freed["data"]["version"], held["data"]["version"])
        c.hold_area("floor", 2)
        stream.until(lambda e: any(p["id"] == "floor" and p["held"] == 2 for p in e["data"]["places"]))

    def test_a_reservation(self):
        c = self.customer("show").enter()
        self.provider.control(delayMs=300)
        self.addCleanup(self.provider.behave)
        reservation = c.pay(c.hold("A-2-1"))
        stream = self.open(f"/api/v1/reservations/{reservation}/stream", c.token)
        first = stream.next()
        self.assertEqual(first["event"], "booking")
        self.assert_shape(first["data"], contract.RESERVATION)
        stream.until(lambda e: e["data"]["state"] == "CONFIRMED")
        c.http.delete(f"/api/v1/reservations/{reservation}", c.token)
        stream.until(lambda e: e["data"]["state"] == "REFUNDED")
        self.assertIsNone(stream.next())

    def test_streams_end_with_their_event(self):
        self.node.put_event(definition("brief", admission={"maxActiveUsers": 1}))
        self.customer("brief").enter()
        c = self.customer("brief")
        c.join()
        streams = [self.open(c.base + path, c.token) for path in ("/status/stream", "/seats/stream", "/queue/stream")]
        for stream in streams:
            self.assertIsNotNone(stream.next())
        polled = []
        poll = threading.Thread(target=lambda: polled.append(c.http.get(c.base + "/queue?waitMs=20000", c.token)))
        poll.start()
        self.node.admin("DELETE", "/events/brief")
        for stream in streams:
            while stream.next() is not None:
                pass
        poll.join()
        self.assert_problem(polled[0], 404, "EVENT_UNKNOWN")

    def test_head_has_no_body(self):
        data = exchange(self.node.port, b"HEAD /api/v1/events/show/status/stream HTTP/1.1\r\nHost: a\r\n"
                        b"Connection: close\r\n\r\n", timeout=3)
        answer, rest = parse_answer(data)
        self.assertEqual((answer.status, answer.headers["Content-Type"], rest), (200, "text/event-stream", b""))

    def test_refusals_are_plain_problems(self):
        get = self.node.client().get
        self.assert_problem(get("/api/v1/events/show/queue/stream"), 401, "UNAUTHENTICATED")
        self.assert_problem(get("/api/v1/events/none/status/stream"), 404, "EVENT_UNKNOWN")

    def test_a_silent_stream_says_that_it_lives(self):
        self.node.put_event(definition("silent"))
        stream = self.open("/api/v1/events/silent/seats/stream")
        lines = iter(stream.answer)
        while not next(lines).startswith(b":"):  # a comment; the read fails after 20 silent seconds
            pass


if __name__ == "__main__":
    main()
