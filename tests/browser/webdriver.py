"""A small client of the W3C WebDriver protocol: one Chromium, one chromedriver, nothing but the standard library."""
import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"tab": "\ue004", "enter": "\ue007", "space": " ", "left": "\ue012", "up": "\ue013", "right": "\ue014",
        "down": "\ue015", "home": "\ue011", "end": "\ue010", "shift": "\ue008"}


class DriverError(Exception):
    pass


def missing():
    """Why no browser can be driven here; None if one can."""
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            return f"{program} is not installed (Debian packages chromium and chromium-driver)"
    return None


class Browser:
    def __init__(self, port, profile, log):
        self.log = open(log, "wb")
        program = [shutil.which("chromedriver"), f"--port={port}"]
        self.driver = subprocess.Popen(program, stdout=self.log, stderr=self.log)
        self.base = f"http://127.0.0.1:{port}"
        self._await_driver()
        args = ["--headless=new", f"--user-data-dir={profile}", "--window-size=1280,900", "--disable-gpu",
                "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking", "--lang=en-GB"]
        if os.geteuid() == 0:
            args.append("--no-sandbox")
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": args}}}})
        self.session = f"/session/{answer['sessionId']}"
        self.problems = []

    def _await_driver(self):
        for _ in range(100):
            try:
                return self._call("GET", "/status")
            except (OSError, DriverError):
                time.sleep(0.1)
        raise DriverError("chromedriver does not answer")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise DriverError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def call(self, method, path, body=None):
        return self._call(method, self.session + path, body)

    def close(self):
        try:
            self._call("DELETE", self.session)
        except (OSError, DriverError):
            pass
        self.driver.terminate()
        self.driver.wait(10)
        self.log.close()

    # ---- pages ----

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def reload(self):
        self.call("POST", "/refresh", {})

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def cdp(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def title(self):
        return self.call("GET", "/title")

    def screenshot(self, path, whole=True):
        if not whole:
            data = self.call("GET", "/screenshot")
        else:
            size = self.run("return [innerWidth, Math.min(6000, document.documentElement.scrollHeight)]")
            data = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip={
                "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What the browser's console said since the last call."""
        return self.call("POST", "/se/log", {"type": "browser"})

    # ---- elements ----

    def all(self, css):
        found = self.call("POST", "/elements", {"using": "css selector", "value": css})
        return [e[ELEMENT] for e in found]

    def find(self, css, seconds=15):
        return self.wait(lambda: (self.all(css) or [None])[0], f"an element {css}", seconds)

    def with_text(self, css, text, seconds=15):
        """The first visible element of that kind that says `text`."""
        def look():
            found = self.run("""
                const [css, text] = arguments;
                const all = [...document.querySelectorAll(css)];
                return all.find((e) => e.checkVisibility() && e.textContent.includes(text));
                """, css, text)
            return found and found[ELEMENT]
        return self.wait(look, f'an element {css} saying "{text}"', seconds)

    def click(self, element):
        # Not under what sticks to the edge of a small screen.
        self.run("arguments[0].scrollIntoView({ block: 'center' })", {ELEMENT: element})
        self.call("POST", f"/element/{element}/click", {})

    def press(self, css, text, seconds=15):
        """Clicks it as soon as it may be clicked."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.click(self.with_text(css, text, 1))
            except DriverError as error:
                if time.monotonic() > until:
                    raise DriverError(f'can not press "{text}": {error}') from None
                time.sleep(0.05)

    def type(self, element, text):
        self.call("POST", f"/element/{element}/clear", {})
        self.call("POST", f"/element/{element}/value", {"text": text})

    def keys(self, *names):
        actions = []
        for name in names:
            held = name.split("+")
            codes = [KEYS.get(k, k) for k in held]
            actions += [{"type": "keyDown", "value": c} for c in codes]
            actions += [{"type": "keyUp", "value": c} for c in reversed(codes)]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def write(self, text):
        self.keys(*text)

    def label(self, element):
        return self.call("GET", f"/element/{element}/computedlabel")

    def role(self, element):
        return self.call("GET", f"/element/{element}/computedrole")

    def text(self, css="main"):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    # ---- waiting ----

    def wait(self, look, what, seconds=15):
        until = time.monotonic() + seconds
        while True:
            try:
                found = look()
            except DriverError as error:
                if "stale" not in str(error):
                    raise
                found = None
            if found:
                return found
            if time.monotonic() > until:
                raise DriverError(f"waited {seconds} s for {what}; the page says: {self.text()[:400]!r}")
            time.sleep(0.05)

    def wait_text(self, text, css="main", seconds=15):
        self.wait(lambda: text in self.text(css), f'"{text}" in {css}', seconds)

    # ---- what the browser pretends to be ----

    def dark(self, on):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def offline(self, on):
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=on, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    def before_each_page(self, script):
        """Runs it before anything of the page does; returns a handle to stop that."""
        return self.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]

    def no_longer_before(self, handle):
        self.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=handle)
