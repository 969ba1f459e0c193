"""The programs under test: started, stopped, killed and frozen, on free ports with folders of their own."""
import errno
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

from web import Client, EventStream

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("SLUICE_BIN") or REPOSITORY / "build" / "bin").resolve()


def free_port(host="127.0.0.1"):
    """A port nobody listens on, below those the kernel gives to outgoing connections: it stays free over a restart."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind((host, port))
                return port
            except OSError as e:
                if e.errno == errno.EADDRNOTAVAIL:
                    return port  # an address of another network namespace


def wait_for(condition, seconds=20, what="the condition", every=0.02):
    """The first true value of `condition()`; fails the test when there is none in time. `what` may be a function, called then."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what() if callable(what) else what}: not within {seconds} s")
        time.sleep(every)


def has_members(group):
    """Processes that are not mere zombies; one whose first thread is a zombie has its sockets until the last thread is gone."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state, _, of = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and (state != "Z" or len(list((process / "task").iterdir())) > 1):
                return True
        except OSError:
            continue  # it has just ended
    return False


class Program:
    """A process and its log."""

    def __init__(self, name, log):
        self.name = name
        self.log = pathlib.Path(log)
        self.process = None
        self.prefix = []  # a command that runs it, `ip netns exec …` say
        self.build = PROGRAMS  # where its program is

    def launch(self, *arguments, **options):
        assert not self.running, f"{self.name} runs already"
        options = {"start_new_session": bool(self.prefix), **options}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, str(self.build / self.name), *map(str, arguments)], stdout=log, stderr=log,
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
        """SIGKILL, the power switch; with what runs it, which might leave it behind."""
        if self.process is None:
            return
        group = self.process.pid if self.prefix and self.running else None
        if group:
            os.killpg(group, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        if group:
            wait_for(lambda: not has_members(group), 10, "what it ran is gone", 0.01)

    def end(self):
        """Whatever state it is in."""
        if self.running:
            self.resume()
            self.kill()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Provider(Program):
    """The sandbox payment provider."""

    def __init__(self, folder, port=None, host="127.0.0.1"):
        super().__init__("sandbox-provider", folder / "sandbox-provider.log")
        self.data = folder / "provider"
        self.host = host
        self.port = port or free_port(host)

    def start(self):
        self.launch("--listen", f"{self.host}:{self.port}", "--data", self.data)
        wait_for(self._alive, 20, "the provider starts")
        return self

    def _alive(self):
        if not self.running:
            raise AssertionError(f"the provider ended: {self.log_text()[-800:]}")
        try:
            return self.client(timeout=2).get("/healthz").status == 200
        except OSError:
            return False

    def client(self, timeout=30):
        return Client(self.port, timeout=timeout, host=self.host)

    def control(self, **settings):
        answer = self.client().post("/control", settings)
        assert answer.status == 200, answer

    def behave(self):
        assert self.client().delete("/control").status == 204

    def totals(self):
        return self.client().get("/totals").json

    def ledger(self):
        """Every effect, as it was written down."""
        return [json.loads(line) for line in self.client().get("/ledger").body.splitlines()]

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

    host = "127.0.0.1"
    provider_host = "127.0.0.1"

    def __init__(self, folder, provider_port, *options):
        super().__init__("sluiced", folder / "sluiced.log")
        self.data = folder / "node"
        self.port = free_port(self.host)
        self.provider_port = provider_port
        self.options = options
        self.key = None

    def start(self, wait=True, **launch):
        self.launch("--data", self.data, "--listen", f"{self.host}:{self.port}", "--payment-provider",
                    f"{self.provider_host}:{self.provider_port}", "--partitions", "4", *self.options, **launch)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        wait_for(lambda: not self.running or self.is_ready(), seconds, "the node is ready")
        assert self.running, f"the node ended: {self.log_text()[-800:]}"
        self.key = self.key_file.read_text().strip()

    def is_ready(self):
        try:
            return self.client(timeout=5).get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def client(self, token=None, timeout=30):
        return Client(self.port, token, timeout, self.host)

    def stream(self, path, token=None, timeout=20, **headers):
        return EventStream(self.port, path, token, timeout, self.host, **headers)

    def metric(self, name, timeout=30):
        """The figure of that name in /metrics that has no labels."""
        told = self.client(self.key, timeout).get("/metrics").body.decode()
        found = re.search(rf"^{name} ([\d.e+-]+)$", told, re.MULTILINE)
        assert found, f"no {name} in /metrics"
        return float(found[1])

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

    @property
    def key_file(self):
        return self.data / "admin.key"

    def log_entries(self, partition, limit=200, after=None):
        """The latest, or those behind an index."""
        behind = "" if after is None else f"&after={after}"
        return self.admin("GET", f"/inspect/log?partition={partition}&limit={limit}{behind}")["entries"]

    def bench(self, kind, *more, **options):
        """Begins sluice-bench against this node."""
        return subprocess.Popen([str(PROGRAMS / "sluice-bench"), kind, "--url", f"http://{self.host}:{self.port}", "--admin-key-file",
                                 str(self.key_file), *map(str, more)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def ctl(self, *arguments):
        """Runs sluicectl; the finished process."""
        return subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"http://{self.host}:{self.port}", "--key-file",
                               str(self.key_file), *arguments], capture_output=True, text=True, timeout=120)
