"""What the stories of the page share: one node, one browser, and the eye that judges every view."""
import json
import os
import pathlib
import shutil
import tempfile
import time
import unittest

import webdriver
from node import Stack, free_port, programs_folder

OUTPUT = pathlib.Path(os.environ.get("SLUICE_TEST_OUTPUT") or
                      pathlib.Path(__file__).resolve().parents[2] / "build" / "test-output" / "browser")
CONTRAST = (pathlib.Path(__file__).parent / "contrast.js").read_text()
GOOD, POOR, SLOW = "4242424242424242", "4000000000009995", "4000000000000150"


class World:
    """Made once for all stories."""
    stack = None
    browser = None

    @classmethod
    def begin(cls):
        if cls.stack:
            return
        OUTPUT.mkdir(parents=True, exist_ok=True)
        cls.folder = tempfile.mkdtemp(prefix="sluice-page-")
        cls.stack = Stack(programs_folder(), cls.folder, OUTPUT)
        cls.browser = webdriver.Browser(free_port(), cls.folder + "/profile", OUTPUT / "chromedriver.log")

    @classmethod
    def end(cls):
        if cls.browser:
            cls.browser.close()
        if cls.stack:
            cls.stack.stop()
            shutil.rmtree(cls.folder, ignore_errors=True)


class PageTest(unittest.TestCase):
    """One event of its own per story; every view it comes by is looked at for contrast, width and foreign loads."""
    event = None

    def setUp(self):
        World.begin()
        self.stack, self.browser = World.stack, World.browser
        self.browser.size(1280, 900)
        self.browser.dark(False)
        self.browser.open(self.stack.url + "/")
        self.browser.run("localStorage.clear(); sessionStorage.clear()")
        self.browser.complaints()

    def tearDown(self):
        if self.event:
            token = self.journey().get("token")
            if token:
                self.stack.inside.append((self.event, token))
            self.browser.open("about:blank")
            for event in (self.event, "course", "quartet"):
                self.stack.remove(event)

    def sell(self, template, **more):
        self.event = f"{template['id']}-{self._testMethodName[5:].replace('_', '-')}"[:60]
        self.stack.put_event(**{**template, "id": self.event, **more})
        self.browser.open("about:blank")
        self.browser.open(f"{self.stack.url}/#/event/{self.event}")

    def journey(self):
        return json.loads(self.browser.run(f"return localStorage.getItem('sluice.journey.{self.event}')") or "{}")

    def own_reservations(self):
        return self.stack.reservations(self.journey()["token"])

    def look(self, name, settle=0.7):
        """Judges what is on show and keeps a picture of it."""
        time.sleep(settle)  # until nothing moves any more
        self.browser.screenshot(OUTPUT / f"{name}.png")
        judged = self.browser.run(CONTRAST)
        self.assertGreater(judged["looked"], 5, name)
        self.assertEqual(judged["poor"], [], f"contrast of {name}")
        wide = self.browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        self.assertLessEqual(wide[0], wide[1], f"{name} is wider than the screen")
        self.check_names(name)
        foreign = self.browser.run("return performance.getEntriesByType('resource').map((e) => e.name)"
                              ".filter((n) => !n.startsWith(location.origin + '/'))")
        self.assertEqual(foreign, [], f"loads of {name}")

    def check_names(self, view):
        controls = "main :is(button, a, input, select, progress:not([aria-hidden])), .top a, .foot a"
        for element in self.browser.all(controls):
            shown = self.browser.run("return arguments[0].checkVisibility()", {webdriver.ELEMENT: element})
            if shown:
                html = self.browser.run("return arguments[0].outerHTML", {webdriver.ELEMENT: element})[:200]
                self.assertTrue(self.browser.label(element).strip(), f"a control without a name in {view}: {html}")

    def at_step(self, step):
        self.browser.find(f".view-{step}")

    def join(self, name="ada@example.org"):
        self.browser.type(self.browser.find("#name"), name)
        self.browser.press("button", "Join the line")

    def reload_at(self, step):
        self.browser.reload()
        self.at_step(step)

    def choose(self, *seats, block=None):
        if block:
            self.browser.press("button.tile", block)
        for seat in seats:
            self.browser.click(self.browser.find(f'[data-seat="{seat}"]'))
        self.browser.press("button", "Hold these places")
        self.at_step("checkout")

    def card(self, number):
        self.browser.type(self.browser.find("#card"), number)

    def pay(self, number=GOOD):
        self.card(number)
        self.browser.press("button", "Pay €")

    def no_complaints(self, allowed=()):
        said = [e["message"] for e in self.browser.complaints() if e["level"] == "SEVERE"]
        left = [m for m in said if not any(a in m for a in allowed)]
        self.assertEqual(left, [])
