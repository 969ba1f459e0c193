"""A machine to install on: this machine's files under a layer of their own, in a mount namespace that ends with the test. Where
systemd-nspawn is there, it also boots."""
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from programs import wait_for

MOUNTS = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
echo mounted
exec sleep infinity
"""


def programs_missing(*names):
    return [n for n in names if shutil.which(n, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]


class Machine:
    def __init__(self, folder):
        self.root = folder / "root"  # as the namespace sees it
        self.container = None
        missing = programs_missing("unshare", "nsenter", "setpriv", "chroot")
        if os.geteuid() != 0 or missing:
            raise unittest.SkipTest(f"{', '.join(missing)} is missing" if missing else "only root may mount a machine's files")
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c",
                                        MOUNTS, "sh", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "mounted\n":
            raise unittest.SkipTest(f"this machine mounts no overlay: {self.holder.communicate()[1].strip()}")

    def close(self):
        if self.container is not None:
            self.halt()
        self.holder.kill()
        self.holder.communicate()

    def path(self, name):
        """Where this process finds the file `name` of the machine."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{self.root}{name}")

    def inside(self, *command):
        """The command line that runs it there, as one process."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "chroot", self.root, *map(str, command)]

    def run(self, *command, check=True):
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=120,
                              env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"})
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: {done}")
        return done

    # ---- with systemd as its first process ----

    def boot(self, unit, log):
        """Boots to `unit` and what it needs; network and ports are this machine's."""
        if programs_missing("systemd-nspawn"):
            raise unittest.SkipTest("systemd-nspawn is not here (package systemd-container)")
        with open(log, "ab") as out:
            self.container = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "systemd-nspawn", "--quiet",
                 f"--directory={self.root}", "--register=no", "--keep-unit", "--console=pipe", "--boot", f"systemd.unit={unit}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_for(lambda: self.container.poll() is not None or self.systemd("is-active", unit, check=False).returncode == 0, 60,
                     f"it boots; see {log}", 0.2)
        except AssertionError:
            self.halt()
            raise
        if self.container.poll() is not None:
            raise unittest.SkipTest(f"systemd does not boot here: {log.read_text(errors='replace')[-500:]}")

    def leader(self):
        """The pid of its first process; 0 before there is one."""
        children = pathlib.Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split()
        for pid in children:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return pid
        return 0

    def systemd(self, *command, check=True):
        """systemctl in there."""
        done = subprocess.run(["nsenter", "--all", f"--target={self.leader()}", "systemctl", *command], capture_output=True, text=True,
                              timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"systemctl {command}: {done}")
        return done

    def halt(self):
        if self.container.poll() is None:
            self.container.send_signal(signal.SIGTERM)
            try:
                self.container.wait(30)
            except subprocess.TimeoutExpired:
                self.container.kill()
                self.container.wait()
        self.container = None
