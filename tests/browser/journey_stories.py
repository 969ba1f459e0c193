"""From the list of events to the receipt, and what may come in between."""
import time

import webdriver
from node import CONCERT, COURSE, SMALL
from page_case import GOOD, POOR, SLOW, PageTest


class Journey(PageTest):
    def test_what_is_set_up_later_appears_on_an_empty_list(self):
        self.browser.open(self.stack.url + "/")
        self.browser.wait_text("There are no events yet")
        self.look("00-no-events")
        self.event = SMALL["id"]
        self.stack.put_event(**SMALL)
        self.browser.find(f'h2 a[href$="{self.event}"]')

    def test_from_the_list_to_the_receipt_with_a_reload_at_each_step(self):
        self.sell(CONCERT)
        self.stack.put_event(**COURSE)
        self.stack.put_event(**SMALL)
        self.browser.open(self.stack.url + "/")
        self.browser.wait_text("€35.00 – €89.00")
        self.browser.wait_text("1,192 of 1,192 left")
        self.look("01-events")
        self.browser.wait_text("Node healthy", "footer")

        self.browser.click(self.browser.find(f'h2 a[href$="{self.event}"]'))
        self.at_step("join")
        self.reload_at("join")
        self.browser.wait_text("60 left")
        self.look("02-join")
        self.browser.press("button", "Make one up")
        self.browser.press("button", "Join the line")

        self.at_step("seats")
        self.browser.find(".seat-map .seat")
        self.reload_at("seats")
        for seat in ("A-2-9", "A-2-10"):
            self.browser.click(self.browser.find(f'[data-seat="{seat}"]'))
        self.assertEqual(self.browser.text(".total .amount"), "€178.00")
        self.look("03-seats")
        self.reload_at("seats")
        self.browser.find('.seat.chosen[data-seat="A-2-10"]')
        self.assertEqual(self.browser.text(".total .amount"), "€178.00")
        self.browser.press("button", "Hold these places")

        self.at_step("checkout")
        held = self.journey()["hold"]["holdId"]
        self.reload_at("checkout")
        self.browser.wait(lambda: "4:5" in self.browser.text(".timer"), "the time that is left")
        self.assertEqual(self.journey()["hold"]["holdId"], held)
        self.look("04-checkout")
        ends = self.journey()["hold"]["expiresAt"]
        self.browser.press("button", "More time")
        self.browser.wait(lambda: self.journey()["hold"]["expiresAt"] > ends, "more time")
        self.browser.press("button.test-card", "is accepted")
        self.browser.press("button", "Pay €")

        self.at_step("receipt")
        self.browser.wait_text("It is yours")
        self.reload_at("receipt")
        self.browser.wait_text("It is yours")
        self.look("05-receipt")
        mine = self.own_reservations()
        self.assertEqual([(r["state"], r["amount"], len(r["seats"])) for r in mine], [("CONFIRMED", 17800, 2)])
        number = self.browser.text(".reservation-number code").replace("\n", "")
        self.assertEqual(number, mine[0]["reservationId"])

        self.browser.press("a", "All events")
        self.browser.press(".own a", CONCERT["name"])
        self.browser.wait_text("It is yours")
        self.no_complaints()

    def test_a_double_click_books_once(self):
        self.sell(CONCERT)
        self.join()
        self.choose("A-1-1")
        self.card(SLOW)
        before = self.stack.captured()
        pay = self.browser.with_text("button", "Pay €")
        self.browser.call("POST", "/actions", {"actions": [{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [
                {"type": "pointerMove", "origin": {webdriver.ELEMENT: pay}, "x": 0, "y": 0}] + [
                {"type": t, "button": 0} for t in ("pointerDown", "pointerUp") * 4]}]})
        self.browser.run("const f = document.querySelector('form'); f.requestSubmit(); f.requestSubmit()")
        self.browser.wait_text("It is yours", seconds=30)
        self.assertEqual(len(self.own_reservations()), 1)
        self.assertEqual(self.stack.stats(self.event)["sold"], 1)
        after = self.stack.captured()
        self.assertNotEqual(before, after)

    def test_a_lost_answer_and_a_reload_book_once(self):
        # The request reaches the node, its answer never reaches the page, and the page is loaded anew.
        self.sell(CONCERT)
        self.join()
        lose = self.browser.before_each_page("""
            const real = window.fetch;
            window.fetch = (path, o) => {
              if (o?.method !== 'POST' || !/holds$|payment$/.test(path) || !window.lose) return real(path, o);
              real(path, { ...o, signal: undefined });
              return new Promise(() => {});
            };""")
        self.browser.reload()
        self.browser.click(self.browser.find('[data-seat="A-1-4"]'))
        self.browser.run("window.lose = true")
        self.browser.press("button", "Hold these places")
        self.browser.wait(lambda: self.journey().get("holding"), "the order to be stored")
        self.browser.wait(lambda: self.stack.stats(self.event)["held"] == 1, "the node to hold it")
        self.reload_at("checkout")
        self.assertEqual(self.stack.stats(self.event)["held"], 1)
        self.card(GOOD)
        self.browser.run("window.lose = true")
        self.browser.press("button", "Pay €")
        self.browser.wait(lambda: self.journey().get("paying"), "the payment to be stored")
        self.browser.wait(lambda: self.stack.stats(self.event)["sold"] == 1, "the node to sell it")
        self.browser.no_longer_before(lose)
        self.browser.reload()
        self.browser.wait_text("It is yours")
        self.assertEqual(len(self.own_reservations()), 1)
        self.assertEqual(self.stack.stats(self.event)["sold"], 1)

    def test_a_reload_while_the_payment_runs(self):
        self.sell(CONCERT)
        self.join()
        self.choose("B-5-5", block="Block B")
        self.pay(SLOW)
        time.sleep(0.3)
        self.browser.reload()
        self.browser.wait_text("Your payment is under way")
        self.look("06-paying", settle=0.1)
        self.browser.wait_text("It is yours", seconds=30)
        self.assertEqual(len(self.own_reservations()), 1)

    def test_a_declined_card_is_explained_and_another_one_works(self):
        self.sell(CONCERT)
        self.join()
        self.choose("A-3-3", "A-3-4")
        self.card("1234")
        self.browser.press("button", "Pay €")
        self.browser.wait_text("12 to 19 digits")
        self.pay(POOR)
        self.browser.wait_text("not enough money")
        self.browser.wait_text("You were not charged")
        self.look("07-declined")
        self.reload_at("receipt")
        self.browser.press("button", "Choose again")
        self.browser.find('.seat.chosen[data-seat="A-3-4"]')
        self.browser.press("button", "Hold these places")
        self.at_step("checkout")
        self.pay()
        self.browser.wait_text("It is yours")
        self.assertEqual(sorted(r["state"] for r in self.own_reservations()), ["CONFIRMED", "FAILED"])

    def test_nothing_to_pay(self):
        self.sell(COURSE)
        self.join("grace@example.org")
        self.at_step("seats")
        self.browser.press("button.step", "+")
        self.look("08-course")
        self.browser.press("button", "Hold these places")
        self.at_step("checkout")
        self.browser.wait_text("free of charge")
        self.look("09-free")
        self.browser.press("button", "Confirm")
        self.browser.wait_text("It is yours")
        self.browser.press("button", "Book more")
        self.browser.press("button", "Join the line")
        self.at_step("seats")
        self.browser.press("button.step", "+")
        self.browser.press("button", "Hold these places")
        self.browser.wait_text("more than one person may book")

    def test_a_hold_that_lapses_is_explained(self):
        self.sell(CONCERT, holdTtlSeconds=8, holdExtensionsMax=1)
        self.join()
        self.choose("A-7-7")
        ends = self.journey()["hold"]["expiresAt"]
        self.browser.press("button", "More time")
        self.browser.wait(lambda: self.journey()["hold"]["expiresAt"] > ends, "more time")
        self.browser.press("button", "More time")
        self.browser.wait_text("no more extra time")
        self.browser.wait_text("The time to pay ran out")
        self.look("19-lapsed")
        self.browser.press("button", "Choose again")
        self.choose()
        self.browser.press("button", "Give them back")
        self.at_step("seats")
        self.browser.wait(lambda: self.stack.stats(self.event)["held"] == 0, "the seat to be free")

    def test_standing_places(self):
        self.sell(CONCERT)
        self.join()
        for _ in range(7):  # one more than allowed
            self.browser.press("button.step", "+")
        self.assertEqual(self.browser.text(".total .amount"), "€210.00")
        self.browser.press("button.step", "−")
        self.browser.press("button", "Hold these places")
        self.at_step("checkout")
        self.browser.wait_text("5 places")
        self.pay()
        self.browser.wait_text("It is yours")
        self.assertEqual([(r["area"], r["quantity"]) for r in self.own_reservations()], [("pit", 5)])

    def test_cancelling_gives_the_money_back(self):
        self.sell(CONCERT)
        self.join()
        self.choose("L-1-1", block="Balcony left")
        self.pay()
        self.browser.wait_text("It is yours")
        self.browser.press("button", "Cancel this booking")
        self.browser.press("button", "Keep it")
        self.browser.press("button", "Cancel this booking")
        self.browser.press("button", "Yes, cancel and refund")
        self.browser.wait_text("Your money is back", seconds=20)
        self.look("10-refunded")
        self.assertEqual(self.stack.stats(self.event)["confirmed"], 0)

    def test_with_the_keyboard_alone(self):
        self.sell(CONCERT)
        self.tab_to(lambda: self.browser.run("return document.activeElement.id") == "name")
        self.browser.write("keys@example.org")
        self.browser.keys("enter")
        self.at_step("seats")
        self.browser.find(".seat-map .seat")
        self.tab_to(lambda: self.browser.run("return document.activeElement.dataset.seat"))
        self.assertEqual(self.focused()["seat"], "A-1-1")
        self.browser.keys("right", "right", "down")
        self.assertEqual(self.focused()["seat"], "A-2-4")
        self.assertTrue(self.browser.run("return getComputedStyle(document.querySelector('.ring')).display !== 'none'"))
        self.browser.keys("space", "right", "enter", "home")
        self.assertEqual(self.focused()["seat"], "A-2-1")
        self.assertEqual(self.browser.text(".total .amount"), "€178.00")
        tabs = self.browser.run("return document.querySelectorAll('.seat-map [tabindex=\"0\"]').length")
        self.assertEqual(tabs, 1, "one seat is in the tab order")
        seat = self.browser.find('[data-seat="A-2-4"]')
        self.assertEqual(self.browser.label(seat), "Row 2, seat 4, Front, €89.00, your choice")
        self.assertEqual(self.browser.role(seat), "gridcell")
        self.look("11-keyboard")
        self.tab_to(lambda: "Hold these" in self.focused()["text"])
        self.browser.keys("enter")
        self.at_step("checkout")
        self.tab_to(lambda: self.browser.run("return document.activeElement.id") == "card")
        self.browser.write(GOOD)
        self.browser.keys("enter")
        self.browser.wait_text("It is yours")
        self.assertEqual(len(self.own_reservations()), 1)

    def focused(self):
        return self.browser.run("const a = document.activeElement; return {text: a.textContent, seat: a.dataset.seat}")

    def tab_to(self, there):
        for _ in range(60):
            if there():
                return
            self.browser.keys("tab")
        self.fail("the keyboard does not get there")
