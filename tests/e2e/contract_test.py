"""The waiting room as the contract words it, and what it says about every answer."""
import base64
import json
import secrets
import shutil
import subprocess
import threading

import contract
from contract import ContractCase
from harness import Customer, definition, main, wait_for


def part_of(token, n):
    text = token.split(".")[n]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Line(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("open"))
        # One person at a time: everybody else waits.
        cls.node.put_event(definition("narrow", admission={"maxActiveUsers": 1}))
        cls.first = Customer(cls.node, "narrow", "first").enter()

    def test_join_waits_with_202_and_all_its_fields(self):
        c = self.customer("narrow")
        answer = c.http.post(c.base + "/queue", {"userId": c.user})
        self.assertEqual(answer.status, 202)
        told = answer.json
        self.assert_shape(told, contract.JOINED)
        self.assertEqual((told["state"], told["position"]), ("WAITING", told["usersAhead"] + 1))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertTrue(answer.headers["X-Request-ID"])

    def test_join_of_an_empty_line_passes_at_once_with_the_same_shape(self):
        c = self.customer("open")
        answer = c.http.post(c.base + "/queue", {"userId": c.user})
        self.assertEqual(answer.status, 200)
        self.assert_shape(answer.json, {**contract.JOINED, "claimBefore": contract.is_time})
        self.assertEqual(answer.json["state"], "ADMITTED")

    def test_a_repeat_returns_the_same_ticket(self):
        c = self.customer("narrow")
        first, second = c.join(), c.join()
        self.assertEqual(first["ticketNumber"], second["ticketNumber"])
        self.assertTrue(second["token"])

    def test_own_state_with_etag_and_304(self):
        c = self.customer("narrow")
        c.join()
        answer = c.http.get(c.base + "/queue", c.token)
        self.assertEqual(answer.status, 200)
        self.assert_shape(answer.json, contract.TICKET)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        again = c.http.get(c.base + "/queue", c.token, If_None_Match=answer.headers["ETag"])
        self.assertEqual((again.status, again.body, again.headers["ETag"]), (304, b"", answer.headers["ETag"]))
        other = c.http.get(c.base + "/queue", c.token, If_None_Match='"something else"')
        self.assertEqual(other.status, 200)

    def test_the_token_may_come_in_either_header(self):
        c = self.customer("narrow")
        c.join()
        answer = c.http.get(c.base + "/queue", X_Queue_Token=c.token)
        self.assertEqual(answer.status, 200, answer)
        for scheme in ("Bearer", "bearer", "BEARER"):  # schemes have no case
            answer = c.http.get(c.base + "/queue", Authorization=f"{scheme} {c.token}")
            self.assertEqual(answer.status, 200, answer)

    def test_long_poll_answers_when_something_changed(self):
        front, back = self.customer("narrow"), self.customer("narrow")
        front.join()
        back.join()
        before = back.http.get(back.base + "/queue", back.token)
        front.http.delete(front.base + "/queue", front.token)
        answer = back.http.get(back.base + "/queue?waitMs=15000", back.token, If_None_Match=before.headers["ETag"])
        self.assertEqual(answer.status, 200)
        self.assertLess(answer.json["position"], before.json["position"])

    def test_long_poll_ends_by_itself(self):
        c = self.customer("narrow")
        c.join()
        answer = c.http.get(c.base + "/queue?waitMs=300", c.token)
        self.assertEqual((answer.status, answer.json["state"]), (200, "WAITING"))
        for odd in ("soon", "1.5", "-1", "3x", ""):
            self.assert_problem(c.http.get(c.base + "/queue?waitMs=" + odd, c.token), 422, "BAD_VALUE")

    def test_claim_not_yet_202_then_200_and_the_same_bytes(self):
        c = self.customer("narrow")
        c.join()
        answer = c.http.post(c.base + "/queue/admission", {}, c.token)
        self.assertEqual((answer.status, answer.json["state"]), (202, "WAITING"), answer)
        o = self.customer("open")
        o.join()
        answer = o.http.post(o.base + "/queue/admission", {}, o.token)
        self.assertEqual(answer.status, 200)
        self.assert_shape(answer.json, contract.CLAIMED)
        again = o.http.post(o.base + "/queue/admission", {}, o.token)
        self.assertEqual(again.json["admissionToken"], answer.json["admissionToken"])
        self.assertEqual(o.http.get(o.base + "/queue", o.token).json["state"], "ACTIVE")

    def test_heartbeat_complete_and_leave_answer_204(self):
        c = self.customer("open").enter()
        self.assertEqual(c.http.post(c.base + "/queue/heartbeat", {}, c.token).status, 204)
        self.assertEqual(c.http.post(c.base + "/queue/complete", {}, c.token).status, 204)
        self.assertEqual(c.http.get(c.base + "/queue", c.token).json["state"], "COMPLETED")
        w = self.customer("narrow")
        w.join()
        self.assertEqual(w.http.delete(w.base + "/queue", w.token).status, 204)
        self.assertEqual(w.http.get(w.base + "/queue", w.token).json["state"], "LEFT")

    def test_a_missed_turn_is_410(self):
        c = self.customer("open")
        c.join()
        c.http.delete(c.base + "/queue", c.token)
        self.assert_problem(c.http.post(c.base + "/queue/admission", {}, c.token), 410, "TICKET_EXPIRED")

    def test_status_is_shared_and_cacheable_for_a_second(self):
        answer = self.node.client().get("/api/v1/events/narrow/status")
        self.assertEqual(answer.status, 200)
        self.assert_shape(answer.json, contract.STATUS)
        self.assertIn("max-age=1", answer.headers["Cache-Control"])
        self.assertNotIn("no-store", answer.headers["Cache-Control"])

    def test_phases_of_the_board(self):
        node = self.node
        node.put_event(definition("phases", rows=0, area=1, price=0, limitPerUser=1,
                                  sale={"opensAt": "2030-01-01T00:00:00Z"}))
        seen = lambda: node.client().get("/api/v1/events/phases/status").json["phase"]
        self.assertEqual(seen(), "SCHEDULED")
        c = self.customer("phases")
        refused = c.http.post(c.base + "/queue", {"userId": c.user})
        self.assert_problem(refused, 409, "EVENT_NOT_OPEN")
        node.act("phases", "open")
        wait_for(lambda: seen() == "OPEN", 5, "OPEN")
        node.act("phases", "pause")
        wait_for(lambda: seen() == "PAUSED", 5, "PAUSED")
        self.assertEqual(c.join()["state"], "WAITING")  # joining goes on in a pause, admission does not
        node.act("phases", "resume")
        c.claim()
        c.try_pay(c.hold_area("floor", 1), {"method": "free"})
        wait_for(lambda: seen() == "SOLD_OUT", 5, "SOLD_OUT")
        late = self.customer("phases")
        self.assert_problem(late.http.post(late.base + "/queue", {"userId": late.user}), 409, "SOLD_OUT")
        node.act("phases", "close")
        wait_for(lambda: seen() == "CLOSED", 5, "CLOSED")
        self.assert_problem(late.http.post(late.base + "/queue", {"userId": late.user}), 409, "EVENT_CLOSED")

    def test_who_waits_when_it_closes_is_told_so(self):
        self.node.put_event(definition("closing", admission={"maxActiveUsers": 1}))
        self.customer("closing").enter()
        c = self.customer("closing")
        self.assertEqual(c.join()["state"], "WAITING")
        self.node.act("closing", "close")
        wait_for(lambda: c.http.get(c.base + "/queue", c.token).json["state"] == "EXPIRED", 5, "the line is over")
        for prefer in ({}, {"Prefer": "wait=1"}):
            self.assert_problem(c.http.post(c.base + "/queue/admission", {}, c.token, **prefer), 410, "TICKET_EXPIRED")
            self.assert_problem(c.http.post(c.base + "/queue", {"userId": c.user}, **prefer), 409, "EVENT_CLOSED")

    def test_prefer_wait_answers_with_the_turn(self):
        self.node.put_event(definition("slow", admission={"maxActiveUsers": 1}))
        inside = self.customer("slow").enter()
        c, d = self.customer("slow"), self.customer("slow")
        answer = c.http.post(c.base + "/queue", {"userId": c.user}, Prefer="wait=1")
        self.assertEqual(answer.status, 202, answer)  # not within the second
        self.assertNotIn("Preference-Applied", answer.headers)
        c.token = answer.json["token"]
        d.join()
        for waiting, path, body, shape in ((c, "/queue", {"userId": c.user}, contract.JOINED),
                                           (d, "/queue/admission", {}, contract.CLAIMED)):
            done = threading.Timer(0.5, lambda: inside.http.post(inside.base + "/queue/complete", {}, inside.token))
            done.start()
            answer = waiting.http.post(waiting.base + path, body, waiting.token, Prefer="wait=20")
            done.join()
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(answer.headers["Preference-Applied"].startswith("wait"))
            self.assert_shape(answer.json, shape)
            inside = waiting


class Identity(ContractCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node.put_event(definition("open"))
        cls.node.put_event(definition("other"))
        cls.node.put_event(definition("free-for-all", identity="anonymous"))

    def test_queue_token_claims(self):
        c = self.customer("open", "ann")
        told = c.join()
        header, claims = json.loads(part_of(c.token, 0)), json.loads(part_of(c.token, 1))
        self.assertEqual(header["alg"], "HS256")
        self.assertTrue(header["kid"])
        self.assertLessEqual({"iss", "aud", "sub", "tkt", "epoch", "iat", "exp"}, claims.keys())
        self.assertEqual((claims["aud"], claims["sub"], claims["tkt"]), ("open", "ann", told["ticketNumber"]))

    def test_admission_token_claims_and_offline_check(self):
        c = self.customer("open", "bob").enter()
        header, claims = json.loads(part_of(c.admission, 0)), json.loads(part_of(c.admission, 1))
        self.assertEqual(header["alg"], "EdDSA")
        self.assertLessEqual({"iss", "aud", "sub", "tkt", "jti", "epoch", "iat", "nbf", "exp"}, claims.keys())
        self.assertEqual((claims["aud"], claims["sub"]), ("open", "bob"))
        keys = self.node.client().get("/.well-known/jwks.json").json["keys"]
        key = next(k for k in keys if k["kid"] == header["kid"])
        self.assertEqual((key["kty"], key["crv"]), ("OKP", "Ed25519"))
        if shutil.which("openssl") is None:
            self.skipTest("there is no openssl to check the signature with")
        folder = self.make_folder("signature")
        public = base64.urlsafe_b64decode(key["x"] + "=")
        (folder / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        (folder / "text").write_text(c.admission.rsplit(".", 1)[0])
        (folder / "signature").write_bytes(part_of(c.admission, 2))
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", folder / "key", "-keyform", "DER",
                               "-rawin", "-in", folder / "text", "-sigfile", folder / "signature"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done)

    def test_anonymous_visitors_get_an_id(self):
        http = self.node.client()
        first = http.post("/api/v1/events/free-for-all/queue", {}).json["token"]
        second = http.post("/api/v1/events/free-for-all/queue").json["token"]
        users = {json.loads(part_of(t, 1))["sub"] for t in (first, second)}
        self.assertEqual(len(users), 2)

    def test_an_anonymous_visitor_has_one_place_however_often_they_join(self):
        http = self.node.client()
        path = "/api/v1/events/free-for-all/queue"
        key = secrets.token_hex(16)
        first = http.post(path, {}, key=key).json
        user = json.loads(part_of(first["token"], 1))["sub"]
        for token, how in ((None, key), (None, f'"{key}"'), (first["token"], None), (first["token"], secrets.token_hex(16))):
            again = http.post(path, {}, token, how).json
            self.assertEqual((again["ticketNumber"], json.loads(part_of(again["token"], 1))["sub"]), (first["ticketNumber"], user))
        for token, how in ((None, secrets.token_hex(16)), (first["token"][:-4] + "AAAA", None), (self.customer("open").join()["token"], None)):
            other = http.post(path, {}, token, how).json
            self.assertNotEqual(other["ticketNumber"], first["ticketNumber"])
        self.assert_problem(http.post(path, {}, key="short"), 400, "IDEMPOTENCY_KEY_INVALID")

    def test_tokens_are_refused_where_they_do_not_belong(self):
        c = self.customer("open").enter()
        other = "/api/v1/events/other"
        get = self.node.client().get
        self.assert_problem(get(c.base + "/queue"), 401, "UNAUTHENTICATED")
        self.assert_problem(get(other + "/queue", c.token), 401, "TOKEN_INVALID")
        self.assert_problem(get(c.base + "/queue", c.token[:-4] + "AAAA"), 401, "TOKEN_INVALID")
        self.assert_problem(c.http.post(c.base + "/holds", {"seats": ["A-1-1"]}, c.token, "k"), 403, "NOT_ADMITTED")

    def test_an_expired_token_reads_what_was_booked_and_no_more(self):
        self.node.put_event(definition("short", keepActiveAfterBooking=True, admission={"activeTtlSeconds": 5}))
        c = self.customer("short").enter()
        c.buy("A-1-1")
        # Half a minute more is granted, for clocks that differ.
        refused = wait_for(lambda: (a := c.http.get(c.base + "/queue", c.admission)).status == 401 and a, 60, every=1)
        self.assert_problem(refused, 401, "TOKEN_EXPIRED")
        self.assert_problem(c.try_hold({"seats": ["A-1-2"]}), 401, "TOKEN_EXPIRED")
        own = c.http.get("/api/v1/reservations", c.admission).json["reservations"]
        self.assertEqual([r["state"] for r in own], ["CONFIRMED"])
        path = "/api/v1/reservations/" + own[0]["reservationId"]
        self.assertEqual(c.http.delete(path, c.admission).status, 202)
        c.await_state(own[0]["reservationId"], "REFUNDED")

    def test_the_token_in_the_query_is_for_reading(self):
        c = self.customer("open")
        c.join()
        answer = self.node.client().post(f"{c.base}/queue/complete?token={c.token}", {})
        self.assert_problem(answer, 401, "UNAUTHENTICATED")


class Conventions(ContractCase):
    def test_request_ids_are_echoed_or_made(self):
        http = self.node.client()
        self.assertEqual(http.get("/healthz", X_Request_ID="mine-1").headers["X-Request-ID"], "mine-1")
        answer = http.get("/api/v1/events/none", X_Request_ID="mine-2")
        self.assert_shape(answer.json, contract.PROBLEM)
        self.assertEqual((answer.json["requestId"], answer.headers["X-Request-ID"]), ("mine-2", "mine-2"))
        made = {http.get("/healthz").headers["X-Request-ID"] for _ in range(20)}
        self.assertEqual(len(made), 20)
        odd = http.get("/healthz", X_Request_ID="no spaces, please").headers["X-Request-ID"]
        self.assertNotEqual(odd, "no spaces, please")

    def test_validation_errors_point_at_the_field(self):
        self.node.put_event(definition("open"))
        answer = self.node.client().post("/api/v1/events/open/queue", {"userId": "a", "colour": "red"})
        told = self.assert_problem(answer, 400, "UNKNOWN_FIELD")
        self.assert_shape(told, {**contract.PROBLEM, "errors": [{"pointer": contract.is_text}]})
        self.assertEqual(told["errors"][0]["pointer"], "/colour")

    def test_unknown_things(self):
        get = self.node.client().get
        self.assert_problem(get("/api/v1/events/none"), 404, "EVENT_UNKNOWN")
        self.assert_problem(get("/api/v1/nothing"), 404, "NOT_FOUND")


if __name__ == "__main__":
    main()
