"""The line: places that move, turns that come, and a network that goes."""
import time
import urllib.request

from node import CONCERT, SMALL, http
from page_case import PageTest

NO_STREAMS = "delete window.EventSource;"


class Line(PageTest):
    def crowd(self, ahead):
        """Somebody is inside, `ahead` others wait; returns their tokens in order."""
        self.sell(SMALL)
        first, _ = self.stack.enter(self.event, "first")
        return [first] + [self.stack.join(self.event, f"other-{n}")["token"] for n in range(ahead)]

    def place(self, n):
        self.browser.wait(lambda: self.browser.text(".place") == str(n), f"place {n}")

    def let_in(self, token):
        status, _ = http("POST", f"{self.stack.url}/api/v1/events/{self.event}/queue/admission", {}, token)
        self.assertEqual(status, 200)

    def test_places_move_and_the_turn_comes(self):
        inside, *others = self.crowd(3)
        self.join()
        self.place(4)
        ticket = self.browser.run("return document.querySelector('.view-line').innerText.match(/ticket (\\d+)/)[1]")
        self.reload_at("line")
        self.place(4)
        self.assertIn(f"ticket {ticket} ", self.browser.text())
        for place, token in zip((3, 2, 1), [inside] + others):
            self.stack.complete(self.event, token)
            self.place(place)
            self.let_in(others[3 - place])
            if place == 2:
                self.look("12-line")
        self.assertIn("number", self.browser.run("return document.getElementById('say').textContent"))
        self.stack.complete(self.event, others[-1])
        self.at_step("seats")
        self.no_complaints()

    def test_without_streams_it_polls(self):
        handle = self.browser.before_each_page(NO_STREAMS)
        try:
            inside, other = self.crowd(1)
            self.join()
            self.place(2)
            self.stack.complete(self.event, inside)
            self.place(1)
            self.let_in(other)
            self.stack.complete(self.event, other)
            self.at_step("seats")
            self.browser.find(".seat-map .seat")
            self.choose("room-1-1")
            self.card("4242424242424242")
            self.browser.press("button", "Pay €")
            self.browser.wait_text("It is yours")
        finally:
            self.browser.no_longer_before(handle)

    def test_phases_are_explained(self):
        self.crowd(0)
        self.join()
        self.place(1)
        self.stack.act(self.event, "pause")
        self.browser.wait_text("The sale is paused")
        self.stack.act(self.event, "message", {"message": "The soundcheck takes a little longer."})
        self.browser.wait_text("soundcheck")
        self.look("13-paused")
        self.stack.act(self.event, "resume")
        self.browser.wait(lambda: "The sale is paused" not in self.browser.text(), "the pause to end")
        self.stack.act(self.event, "close")
        self.browser.wait_text("The sale has ended")
        self.look("14-closed")
        self.browser.open(self.stack.url + "/")
        self.browser.open(f"{self.stack.url}/#/event/{self.event}")
        self.browser.run("localStorage.clear()")
        self.browser.reload()
        self.browser.wait_text("Closed.")
        self.assertFalse(self.browser.run("return document.querySelector('form').checkVisibility()"))

    def test_sold_out_is_explained(self):
        self.sell({**CONCERT, "id": "sold"}, sections=[], areas=[{
            "id": "pit", "name": "Pit", "capacity": 2, "category": "standing"}])
        _, admission = self.stack.enter(self.event, "first")
        hold = self.stack.hold(self.event, admission, {"area": "pit", "quantity": 2})[1]["holdId"]
        self.stack.pay(self.event, admission, hold, {"method": "card", "card": "4242424242424242"})
        self.browser.reload()
        self.browser.wait_text("Everything is sold")
        self.look("15-sold-out")

    def test_a_missed_turn_is_explained(self):
        self.sell(SMALL, admission={"usersPerMinute": 6000, "maxActiveUsers": 1, "claimWindowSeconds": 2})
        # A page that nobody looks at does not take its turn.
        handle = self.browser.before_each_page(
            "Object.defineProperty(document, 'visibilityState', { get: () => window.seen ? 'visible' : 'hidden' });")
        try:
            self.browser.reload()
            self.join()
            self.browser.wait_text("It is your turn")
            self.assertIn("It is your turn", self.browser.title())
            self.browser.wait_text("Your turn has passed", seconds=10)
            self.look("16-missed")
            self.browser.press("button", "Join again")
            self.browser.run("window.seen = true")
            self.browser.press("button", "Join the line")
            self.at_step("seats")
        finally:
            self.browser.no_longer_before(handle)

    def test_a_turn_waits_with_a_countdown(self):
        self.sell(SMALL)
        handle = self.browser.before_each_page(
            "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });")
        try:
            self.browser.reload()
            self.join()
            self.browser.wait_text("Your turn waits for")
            self.look("17-turn")
            self.browser.press("button", "Go in now")
            self.at_step("seats")
        finally:
            self.browser.no_longer_before(handle)

    def test_leaving_gives_the_place_up(self):
        self.crowd(1)
        self.join()
        self.place(2)
        self.browser.press("button", "Leave the line")
        self.at_step("events")
        self.assertEqual(self.stack.stats(self.event)["waitingUsers"], 1)

    def test_somebody_else_is_faster(self):
        self.sell(CONCERT)
        self.join()
        self.browser.click(self.browser.find('[data-seat="A-1-1"]'))
        _, other = self.stack.enter(self.event, "faster")
        self.assertEqual(self.stack.hold(self.event, other, {"seats": ["A-1-1", "A-1-2"]})[0], 201)
        self.browser.wait_text("somebody else was faster")
        self.browser.find('.seat.held[data-seat="A-1-2"]')
        self.assertEqual(self.browser.text(".chosen"), "")

    def test_offline_is_shown_and_passes(self):
        inside, = self.crowd(0)
        self.join()
        self.place(1)
        self.browser.offline(True)
        self.browser.wait_text("You are offline", "#banner")
        self.look("18-offline")
        self.stack.complete(self.event, inside)
        time.sleep(1)
        self.browser.offline(False)
        self.at_step("seats")
        self.browser.wait(lambda: self.browser.run("return document.getElementById('banner').hidden"), "calm")

    def test_a_killed_node_comes_back(self):
        inside, *_ = self.crowd(2)
        self.join()
        self.place(3)
        self.stack.kill_node()
        told = "return !document.getElementById('banner').hidden"
        self.browser.wait(lambda: self.browser.run(told), "a word about it", 20)
        self.stack.start_node()
        self.stack.complete(self.event, inside)
        self.browser.wait(lambda: self.browser.text(".place") == "2", "the place to move on", 60)

    def test_retry_after_is_respected(self):
        self.sell(CONCERT)
        handle = self.browser.before_each_page("""
            const real = window.fetch;
            window.asked = [];
            window.fetch = (path, o) => {
              if (!path.endsWith('/queue') || o.method !== 'POST') return real(path, o);
              window.asked.push(performance.now());
              if (window.asked.length > 2) return real(path, o);
              const headers = { 'Retry-After': '3' };
              return Promise.resolve(new Response('{"code":"OVERLOADED"}', { status: 503, headers }));
            };""")
        try:
            self.browser.reload()
            self.join()
            self.browser.wait_text("A great many people are here", "#banner")
            self.at_step("seats")
            asked = self.browser.run("return window.asked")
            self.assertEqual(len(asked), 3)
            for a, b in zip(asked, asked[1:]):
                self.assertGreaterEqual(b - a, 2990)
        finally:
            self.browser.no_longer_before(handle)

    def test_the_policy_lets_nothing_foreign_in(self):
        with urllib.request.urlopen(self.stack.url + "/") as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = answer.read().decode()
        self.assertIn("default-src 'none'", policy)
        self.assertIn("script-src 'self'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotRegex(text, r"<script(?![^>]* src=)|<style| style=| on\w+=|//")
        self.assertRegex(text, r'<html lang="\w+')
