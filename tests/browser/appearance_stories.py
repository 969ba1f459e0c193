"""How it looks in the dark, and on a small phone."""
from node import CONCERT
from page_case import GOOD, PageTest


class Appearance(PageTest):
    def test_dark(self):
        self.views("dark", lambda: self.browser.dark(True))

    def test_narrow(self):
        self.views("narrow", lambda: self.browser.size(360, 740, True))

    def test_nothing_moves_where_that_is_not_wanted(self):
        self.browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        self.sell(CONCERT)
        self.browser.wait_text("left")
        self.assertEqual(self.browser.run("return document.getAnimations().length"), 0)
        self.join()
        self.browser.find(".seat-map .seat")
        self.assertEqual(self.browser.run("return document.getAnimations().length"), 0)

    def views(self, name, become):
        become()
        self.sell(CONCERT)
        _, others = self.stack.enter(self.event, "somebody else")
        hold = self.stack.hold(self.event, others, {"seats": [f"A-4-{n}" for n in range(5, 9)]})[1]["holdId"]
        self.stack.pay(self.event, others, hold, {"method": "card", "card": GOOD})
        _, others = self.stack.enter(self.event, "yet another")
        self.stack.hold(self.event, others, {"seats": [f"A-5-{n}" for n in range(8, 13)]})
        self.browser.open(self.stack.url + "/")
        self.browser.wait_text("left")
        self.look(f"{name}-1-events")
        self.browser.open(f"{self.stack.url}/#/event/{self.event}")
        self.browser.wait_text("left")
        self.look(f"{name}-2-join")
        self.join()
        self.browser.find(".seat-map .seat")
        self.browser.press("button", "Find side by side")
        self.browser.wait(lambda: len(self.browser.all(".seat.sold")) >= 4, "what others bought")
        if name == "narrow":
            smallest = self.browser.run("const m = document.querySelector('.seat-map');"
                                   "return m.getBoundingClientRect().width / (m.viewBox.baseVal.width / 10)")
            self.assertGreaterEqual(smallest, 24, "seats are large enough to touch")
        self.look(f"{name}-3-seats")
        self.browser.press("button", "Hold these places")
        self.browser.wait_text("Pay by card")
        self.browser.press("summary", "Cards for rare troubles")
        self.look(f"{name}-4-checkout")
        self.browser.press("button.test-card", "is accepted")
        self.browser.press("button", "Pay €")
        self.browser.wait_text("It is yours")
        self.look(f"{name}-5-receipt")
