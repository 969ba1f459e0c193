"""What may happen to nodes. Each fault says why it can not be had on a machine, begins, and ends; between the two the cluster
must do without at most a minority, unless it says otherwise. Afterwards it says what was seen of it: an effect that it has
whoever it met and however busy the cluster was, so that a fault that did nothing is found out."""
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from nemesis_wires import run
from programs import wait_for


class Traces:
    """What nodes wrote into their logs, and how far terms rose, since it was made."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.before = {node.title: len(node.log_text()) for node in cluster.nodes}
        self.terms_before = self.terms()

    def terms(self):
        return sum(p["term"] for p in self.cluster.describe()["partitions"])

    def risen(self):
        return max(0, self.terms() - self.terms_before)

    def lines(self, node, pattern):
        return re.findall(pattern, node.log_text()[self.before[node.title]:])

    def lost_lines(self, one, other):
        """Lines that were open between the two and broke, as either of them tells."""
        pattern = r"warning \S+ peer\.lost node=\d+ name={} "
        return len(self.lines(one, pattern.format(other.title)) + self.lines(other, pattern.format(one.title)))

    def lost_by(self, node):
        """Lines to it that the others lost."""
        return sum(self.lost_lines(node, other) for other in self.cluster.nodes if other is not node)

    def starts(self, node):
        return len(self.lines(node, r"node\.ready "))

    def closed_lines(self):
        """Lines that are not open just now: whoever is parted then has nothing to lose."""
        found = []
        for node in self.cluster.live():
            for other in self.cluster.live():
                if other is not node:
                    told = re.findall(rf"peer\.(\w+) node=(\d+) name={other.title} ", node.log_text())
                    newest = max((int(number) for _, number in told), default=0)  # of its disks
                    if [what for what, number in told if int(number) == newest][-1:] != ["opened"]:
                        found.append(f"{node.title} to {other.title}")
        return found


class Fault:
    name = ""
    lasts = (2.0, 5.0)  # seconds

    def __init__(self, world):
        self.world = world  # has cluster, wires, dice, victims()

    def missing(self):
        """Why it can not be injected here; empty if it can."""
        return ""

    def begin(self):
        raise NotImplementedError

    def end(self):
        pass

    def seen(self, traces):
        """What was seen of it, once all is well again; empty: nothing."""
        raise NotImplementedError


def lines(count):
    return f"{count} lines lost" if count else ""


class Kill(Fault):
    name = "kill"

    def begin(self):
        self.node = self.world.victim()
        self.node.kill()
        return self.node.title

    def end(self):
        self.node.start()

    def seen(self, traces):
        return lines(traces.lost_by(self.node)) if traces.starts(self.node) else ""


class Pause(Fault):
    name = "pause"

    def begin(self):
        self.node = self.world.victim()
        self.node.pause()
        return self.node.title

    def end(self):
        self.node.resume()

    def seen(self, traces):
        return lines(traces.lost_by(self.node))


class Flicker(Fault):
    """Stands still again and again, for about as long as others wait before they vote."""
    name = "flicker"
    TIMES = 8

    def begin(self):
        self.node = self.world.victim()
        self.silent = 0
        for _ in range(self.TIMES):
            self.node.pause()
            self.silent += self.is_silent(self.world.dice.uniform(0.1, 0.7))
            self.node.resume()
            time.sleep(self.world.dice.uniform(0.05, 0.4))
        return self.node.title

    def is_silent(self, seconds):
        """Lines to it may outlast so short a stop; whoever asks it meanwhile hears nothing."""
        until = time.monotonic() + seconds
        time.sleep(0.03)  # all its threads stand still then
        try:
            self.node.client(timeout=until - time.monotonic()).get("/healthz")
            return False
        except (OSError, http.client.HTTPException):
            return True
        finally:
            time.sleep(max(0.0, until - time.monotonic()))

    def seen(self, traces):
        return f"silent {self.silent} times" if self.silent > self.TIMES // 2 else ""


class PowerCut(Fault):
    """All at once: nothing is served meanwhile, and nothing acknowledged is lost."""
    name = "power cut"
    lasts = (0.0, 1.0)

    def begin(self):
        nodes = self.world.cluster.live()
        for node in nodes:
            os.kill(node.process.pid, signal.SIGKILL)
        for node in nodes:
            node.kill()
        self.nodes = nodes
        return "all"

    def end(self):
        self.world.dice.shuffle(self.nodes)
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()

    def seen(self, traces):
        return f"terms rose by {traces.risen()}" if all(map(traces.starts, self.nodes)) and traces.risen() else ""


class Split(Fault):
    """One node hears nobody, and nobody hears it."""
    name = "split"

    def begin(self):
        node = self.node = self.world.victim()
        for other in self.world.cluster.nodes:
            if other is not node:
                self.world.wires.cut(node.number, other.number)
                self.world.wires.cut(other.number, node.number)
        return node.title

    def end(self):
        self.world.wires.heal()

    def seen(self, traces):
        return lines(traces.lost_by(self.node))


class OneWay(Fault):
    """One node is heard and hears nothing, or hears and is not heard."""
    name = "one-way split"

    def begin(self):
        node = self.node = self.world.victim()
        mute = self.world.dice.random() < 0.5
        for other in self.world.cluster.nodes:
            if other is not node:
                self.world.wires.cut(*((node.number, other.number) if mute else (other.number, node.number)))
        return f"{node.title} {'is mute' if mute else 'is deaf'}"

    def end(self):
        self.world.wires.heal()

    def seen(self, traces):
        return lines(traces.lost_by(self.node))


class Bridge(Fault):
    """Two nodes do not reach each other; the third one reaches both."""
    name = "broken line"

    def begin(self):
        one, two = self.pair = self.world.dice.sample(self.world.cluster.nodes, 2)
        self.world.wires.cut(one.number, two.number)
        self.world.wires.cut(two.number, one.number)
        return f"{one.title} and {two.title}"

    def end(self):
        self.world.wires.heal()

    def seen(self, traces):
        return lines(traces.lost_lines(*self.pair))


class SlowDisk(Fault):
    """Every sync takes a fifth of a second longer."""
    name = "slow disk"
    lasts = (3.0, 6.0)
    command = ("strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=200000")

    def missing(self):
        if not shutil.which("strace"):
            return "strace is not installed"
        with subprocess.Popen(["sleep", "5"]) as sleeper:
            try:
                tracer = subprocess.Popen([*self.command, "-p", str(sleeper.pid)], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
                time.sleep(0.5)
                if tracer.poll() is not None:
                    return "strace can not look at a running process here"
                tracer.terminate()
                tracer.wait(5)
                return ""
            finally:
                sleeper.kill()

    def begin(self):
        self.node = self.world.victim()
        self.tracer = subprocess.Popen([*self.command, "-p", str(self.node.process.pid)], stderr=subprocess.DEVNULL)
        self.longest_sync()
        return self.node.title

    def longest_sync(self):
        """In seconds, since it was asked last."""
        return self.node.metric("sluice_fsync_seconds_max", timeout=8)

    def end(self):
        self.longest = self.longest_sync()
        self.tracer.terminate()  # it lets go of the node, which goes on
        try:
            self.tracer.wait(10)
        except subprocess.TimeoutExpired:
            self.tracer.kill()
            self.tracer.wait()
        self.node.resume()
        assert "storage.slow-sync" in self.node.log_text(), f"{self.node.title} does not say that its disk is slow"

    def seen(self, traces):
        return f"a sync took {self.longest:.2f} s" if self.longest >= 0.2 else ""


class FullDisk(Fault):
    """The last node's folder is a file system of its own, and it is full. A node whose disk is full stops, and says so."""
    name = "full disk"
    lasts = (1.0, 3.0)
    SIZE = "128m"

    def missing(self):
        place = pathlib.Path(self.world.folder) / "probe"
        place.mkdir(exist_ok=True)
        failed = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
        if not failed:
            run("umount", place)
        return failed

    @classmethod
    def mount(cls, node):
        node.data.mkdir(parents=True, exist_ok=True)
        return run("mount", "-t", "tmpfs", "-o", f"size={cls.SIZE}", "tmpfs", node.data)

    @staticmethod
    def unmount(node):
        run("umount", "-l", node.data)

    def begin(self):
        self.node = self.world.cluster.nodes[-1]
        self.balloon = self.node.data / "balloon"
        with open(self.balloon, "wb") as f:
            try:
                while True:
                    f.write(b"x" * 1024 * 1024)
                    f.flush()
            except OSError:
                pass
        try:
            wait_for(lambda: not self.node.running, 6, "a node with a full disk stops")
            assert "space" in self.node.log_text()[-2000:], self.node.log_text()[-2000:]
            how = "stopped"
        except AssertionError:  # what it wrote so far had its room already; a start needs more
            self.node.kill()
            self.node.start(wait=False)
            wait_for(lambda: not self.node.running, 10, "a node with a full disk does not start")
            how = "did not start"
        return f"{self.node.title} {how}"

    def end(self):
        self.balloon.unlink()
        if not self.node.running:
            self.node.start()

    def seen(self, traces):
        said = traces.lines(self.node, r"[Nn]o space left|MiB are free on the disk")
        return "it said so" if said and traces.starts(self.node) else ""


class Wipe(Fault):
    name = "wipe"
    lasts = (0.0, 1.0)

    def begin(self):
        node = self.world.victim()
        node.kill()
        for entry in node.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.node = node
        return node.title

    def end(self):
        through = self.world.cluster.any(but=self.node)
        told = wait_for(lambda: self.world.try_admin(through, "POST", "/cluster/actions/replace", {"node": self.node.title}),
                        20, "a token for the replacement", 0.3)
        self.node.join(through, told["token"])

    def seen(self, traces):
        return "it joined anew" if traces.lines(self.node, r"cluster\.joined ") else ""


class Restart(Fault):
    """One after the other, each with a proper good-bye."""
    name = "rolling restart"
    lasts = (0.0, 0.0)

    def begin(self):
        for node in self.world.cluster.nodes:
            if node.stop() != 0:
                raise AssertionError(f"{node.title} ended badly: {node.log_text()[-600:]}")
            node.start()
            self.world.cluster.await_replicated()
        return "all"

    def seen(self, traces):
        return f"terms rose by {traces.risen()}" if all(map(traces.starts, self.world.cluster.nodes)) and traces.risen() else ""


class Transfers(Fault):
    """Leaders are sent around."""
    name = "transfers"
    lasts = (0.0, 0.0)

    def begin(self):
        world = self.world
        for _ in range(15):
            partition, to = world.dice.randrange(4), world.dice.choice(world.cluster.nodes)
            world.try_admin(world.cluster.any(), "POST", "/cluster/actions/transfer", {"partition": partition, "to": to.title})
            time.sleep(world.dice.uniform(0.02, 0.3))
        return "all"

    def seen(self, traces):
        return f"terms rose by {traces.risen()}" if traces.risen() else ""


ALL = (Kill, Pause, Flicker, PowerCut, Split, OneWay, Bridge, SlowDisk, FullDisk, Wipe, Restart, Transfers)
