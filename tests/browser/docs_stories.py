"""/docs: the interface as people read it."""
from node import http
from page_case import PageTest

CALLS = "return [...document.querySelectorAll('.call:not([id^=shape-])')].filter((c) => !c.hidden && c.checkVisibility()).length"


class Docs(PageTest):
    def open(self, name=""):
        self.browser.open("about:blank")
        self.browser.open(f"{self.stack.url}/docs{name}")
        self.browser.find(".call")

    def test_every_call_and_every_shape_is_there(self):
        told = http("GET", self.stack.url + "/openapi.json")[1]
        self.open()
        calls = self.browser.run("return [...document.querySelectorAll('.call .method')].map((m) => m.textContent + ' ' + "
                                 "m.nextElementSibling.textContent)")
        self.assertEqual(sorted(calls), sorted(f"{m.upper()} {path}" for path, item in told["paths"].items() for m in item))
        for shape in told["components"]["schemas"]:
            self.browser.find(f"#shape-{shape}")
        self.look("docs-1-calls")
        self.browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        self.look("docs-2-all-of-it")
        text = self.browser.run("return document.getElementById('main').textContent")
        self.assertNotIn("undefined", text)
        self.assertNotIn("[object", text)
        dead = self.browser.run("return [...document.querySelectorAll('main a[href^=\"#\"]')].map((a) => a.hash.slice(1))"
                                ".filter((id) => !document.getElementById(id))")
        self.assertEqual(dead, [])
        self.no_complaints()

    def test_one_is_found_by_its_name_or_by_a_word(self):
        self.open("#makeHold")
        self.assertTrue(self.browser.run("return document.getElementById('makeHold').open"))
        self.look("docs-3-one-call")
        everything = self.browser.run(CALLS)
        self.browser.type(self.browser.find("#search"), "post pay")
        self.browser.wait(lambda: 0 < self.browser.run(CALLS) < everything / 4, "few are left")
        self.browser.run("location.hash = 'shape-Ticket'")
        self.browser.wait(lambda: self.browser.run("return document.getElementById('shape-Ticket').open"), "the shape opens")

    def test_small_and_dark(self):
        self.browser.dark(True)
        self.browser.size(360, 740, True)
        self.open("#join")
        self.look("docs-4-small-and-dark")
