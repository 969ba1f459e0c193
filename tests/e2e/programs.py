"""The programs under test: started, stopped, killed and frozen, on free ports with folders of their own."""
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from web import Client

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("SLUICE_BIN") or REPOSITORY / "build" / "bin").resolve()


def free_port():
    """A port nobody listens on, below those the kernel gives to outgoing connections: it stays free over a restart."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(condition, seconds=20, what="the condition", every=0.02):
    """The first true value of `condition()`; fails the test when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


class Program:
    """A process and its log."""

    def __init__(self, name, log):
        self.name = name
        self.log = pathlib.Path(log)
        self.process = None

    def launch(self, *arguments, **options):
        assert not self.running, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(PROGRAMS / self.name), *map(str, arguments)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=20):
        """SIGTERM, and the exit code."""
        if self.process is None:
            return None
        if self.running:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not stop within {seconds} s") from None

    def kill(self):
        """SIGKILL, the power switch."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Provider(Program):
    """The sandbox payment provider."""

    def __init__(self, folder, port=None):
        super().__init__("sandbox-provider", folder / "sandbox-provider.log")
        self.data = folder / "provider"
        self.port = port or free_port()

    def start(self):
        self.launch("--listen", f"127.0.0.1:{self.port}", "--data", self.data)
        wait_for(self._alive, 20, "the provider starts")
        return self

    def _alive(self):
        if not self.running:
            raise AssertionError(f"the provider ended: {self.log_text()[-800:]}")
        try:
            return Client(self.port, timeout=2).get("/healthz").status == 200
        except OSError:
            return False

    def control(self, **settings):
        answer = Client(self.port).post("/control", settings)
        assert answer.status == 200, answer

    def behave(self):
        assert Client(self.port).delete("/control").status == 204

    def totals(self):
        return Client(self.port).get("/totals").json

    def ledger(self):
        """Every effect, as it was written down."""
        return [json.loads(line) for line in Client(self.port).get("/ledger").body.splitlines()]

    def payments(self):
        """The last state, and the money taken and given back, by reference."""
        told = {}
        for entry in self.ledger():
            p = told.setdefault(entry["reference"], {"captured": 0, "refunded": 0, "captures": 0, "states": []})
            p["states"].append(entry["state"])
            p["state"] = entry["state"]
            if entry["state"] == "CAPTURED":
                p["captured"] += entry["amount"]
                p["captures"] += 1
            elif entry["state"] == "REFUNDED":
                p["refunded"] += entry["amount"]
        return told


class Node(Program):
    """A node of Sluice; the same port and folder at every start."""

    def __init__(self, folder, provider_port, *options):
        super().__init__("sluiced", folder / "sluiced.log")
        self.data = folder / "node"
        self.port = free_port()
        self.provider_port = provider_port
        self.options = options
        self.key = None

    def start(self, wait=True, **launch):
        self.launch("--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--payment-provider",
                    f"127.0.0.1:{self.provider_port}", "--partitions", "4", *self.options, **launch)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        wait_for(lambda: not self.running or self.is_ready(), seconds, "the node is ready")
        assert self.running, f"the node ended: {self.log_text()[-800:]}"
        self.key = (self.data / "admin.key").read_text().strip()

    def is_ready(self):
        try:
            return Client(self.port, timeout=5).get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def client(self, token=None, timeout=30):
        return Client(self.port, token, timeout)

    # ---- the operator ----

    def admin(self, method, path, body=None, expect=(200, 201, 204)):
        answer = self.client(self.key).request(method, "/admin/v1" + path, body)
        assert answer.status in expect, f"{method} {path}: {answer}"
        return answer.json if answer.body else None

    def put_event(self, event):
        return self.admin("PUT", f"/events/{event['id']}", event)

    def act(self, event, action, body=None):
        return self.admin("POST", f"/events/{event}/actions/{action}", body if body is not None else {})

    def set_admission(self, event, **settings):
        return self.admin("PATCH", f"/events/{event}/admission", settings)

    def stats(self, event):
        return self.admin("GET", f"/events/{event}/stats")

    def verify(self, event):
        """The recount from the log, once the figures it is compared with are those of the same moment."""
        return self.admin("GET", f"/events/{event}/verify")

    def log_entries(self, partition, limit=200, after=0):
        return self.admin("GET", f"/inspect/log?partition={partition}&limit={limit}&after={after}")["entries"]

    def ctl(self, *arguments):
        """Runs sluicectl; the finished process."""
        return subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"http://127.0.0.1:{self.port}", "--key-file",
                               str(self.data / "admin.key"), *arguments], capture_output=True, text=True, timeout=120)
