"""The Debian package: what is in it, that it installs, runs and goes, and that systemd runs it in its sandbox."""
import pathlib
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

from harness import PROGRAMS, SKIPPED, Case, Customer, Node, definition, free_port, main, wait_for
from machine import Machine, programs_missing

BUILD = PROGRAMS.parent
UNIT = "usr/lib/systemd/system/sluiced.service"
CONFIG = "etc/sluice/sluiced.toml"
FILES = {"usr/bin/sluiced": 0o755, "usr/bin/sluicectl": 0o755, UNIT: 0o644, CONFIG: 0o644,
         "usr/share/doc/sluice/README.Debian": 0o644, "usr/share/doc/sluice/copyright": 0o644,
         "usr/share/doc/sluice/changelog.gz": 0o644, "usr/share/doc/sluice/examples/nginx.conf": 0o644,
         "usr/share/doc/sluice/examples/README.md": 0o644, "usr/share/doc/sluice/examples/three-nodes/n1.toml": 0o644,
         "usr/share/doc/sluice/examples/five-nodes/n5.toml": 0o644}
FILES_MAX = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # more is not to be had where even root may not raise it
EXPOSURE_MAX = 2.0  # of systemd-analyze security; 0 is best, 10 worst


def read_unit(text):
    """Every value of every option, in order."""
    options = {}
    for line in text.splitlines():
        if re.match(r"[A-Z]\w+=", line):
            name, _, value = line.partition("=")
            options.setdefault(name, []).append(value)
    return options


class PackagedNode(Node):
    """A node that was not started from the build folder, with the package's own configuration."""

    def __init__(self, folder, command, data, provider):
        super().__init__(folder, provider.port)
        self.command = command
        self.data = pathlib.Path(data)

    def configure(self, file, **paths):
        """The package's file with this test's ports, and with other paths."""
        text = file.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace("127.0.0.1:8090",
                                                                                            f"127.0.0.1:{self.provider_port}")
        for old, new in paths.items():
            text = text.replace(old.replace("_", "/"), str(new))
        file.write_text(text)

    def start(self, wait=True, **launch):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*map(str, self.command)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **launch)
        if wait:
            self.wait_ready()
        return self


def missing():
    """Why no package can be made here; empty if one can."""
    absent = programs_missing("cpack", "dpkg", "dpkg-deb", "dpkg-shlibdeps", "strip")
    if absent:
        return f"{', '.join(absent)} is missing (packages cmake, dpkg-dev, binutils)"
    return "" if (BUILD / "CPackConfig.cmake").exists() else f"{BUILD} is no build folder to make a package from"


def setUpModule():
    made = pathlib.Path(tempfile.mkdtemp(prefix="sluice-package-"))
    unittest.addModuleCleanup(shutil.rmtree, made)
    # A strict umask must not end in folders the daemon can not enter.
    done = subprocess.run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-G", "DEB", "-B", made], capture_output=True, text=True,
                          timeout=240, umask=0o077)
    found = sorted(made.glob("*.deb"))
    assert done.returncode == 0 and len(found) == 1, done
    PackageCase.package = found[0]


class PackageCase(Case):
    """The package of the build folder these tests belong to."""

    package = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider()

    def dpkg_deb(self, *arguments):
        return subprocess.run(["dpkg-deb", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60).stdout

    def buy(self, node, event):
        node.put_event(definition(event))
        return Customer(node, event).enter().buy("A-1-1", "A-1-2")


class Contents(PackageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.folder / "extracted"
        subprocess.run(["dpkg-deb", "-x", cls.package, cls.root], check=True, timeout=60)

    def test_files_their_modes_and_owners(self):
        for name, mode in FILES.items():
            self.assertEqual(stat.S_IMODE((self.root / name).stat().st_mode), mode, name)
        for line in self.dpkg_deb("-c", self.package).splitlines():
            mode, owner, *_, name = line.split()
            self.assertEqual(owner, "root/root", line)
            if mode.startswith("d"):
                self.assertEqual(mode, "drwxr-xr-x", line)
            self.assertNotIn("sandbox-provider", name)

    def test_control_fields(self):
        field = lambda name: self.dpkg_deb("-f", self.package, name).strip()
        version = subprocess.run([self.root / "usr/bin/sluiced", "--version"], capture_output=True, text=True, timeout=20).stdout.strip()
        self.assertEqual((field("Package"), field("Version")), ("sluice", version))
        self.assertEqual(field("Architecture"), subprocess.run(["dpkg", "--print-architecture"], capture_output=True,
                                                               text=True).stdout.strip())
        self.assertRegex(field("Maintainer"), r"^.+ <\S+@\S+>$")
        needed = {d.split()[0] for d in field("Depends").split(", ")}
        self.assertLessEqual({"adduser", "tzdata", "libc6", "libssl3"}, needed)
        self.assertTrue(any(n.startswith("librocksdb") for n in needed), needed)

    def test_its_own_scripts(self):
        scripts = self.folder / "control"
        subprocess.run(["dpkg-deb", "-e", self.package, scripts], check=True, timeout=60)
        self.assertEqual((scripts / "conffiles").read_text(), f"/{CONFIG}\n")
        self.assertIn("usr/bin/sluiced", (scripts / "md5sums").read_text())
        for name in ("postinst", "prerm", "postrm"):
            self.assertEqual(stat.S_IMODE((scripts / name).stat().st_mode), 0o755, name)
            checker = ["shellcheck"] if shutil.which("shellcheck") else ["sh", "-n"]
            subprocess.run([*checker, scripts / name], check=True, timeout=60)

    def test_what_lintian_says(self):
        if programs_missing("lintian"):
            self.skipTest("lintian is not here")
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", self.package], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_unit_is_hardened(self):
        if programs_missing("systemd-analyze"):
            self.skipTest("systemd-analyze is not here (package systemd)")
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", self.root / UNIT], capture_output=True,
                              text=True, timeout=60)
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertTrue(level, done)
        print(f"exposure {level[1]}", end=" ", flush=True)
        self.assertLessEqual(float(level[1]), EXPOSURE_MAX, done.stdout)

    def test_the_unit_is_sound(self):
        if programs_missing("systemd-analyze"):
            self.skipTest("systemd-analyze is not here (package systemd)")
        unit = self.folder / "sluiced.service"  # as installed, but for the place of the program
        unit.write_text((self.root / UNIT).read_text().replace("/usr/bin/sluiced", str(self.root / "usr/bin/sluiced")))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_it_runs_from_where_it_was_unpacked(self):
        self.provider.start()
        self.addCleanup(self.provider.stop)
        data = self.make_folder("data")
        node = PackagedNode(self.make_folder("node"), [self.root / "usr/bin/sluiced", "--config", self.root / CONFIG], data, self.provider)
        self.programs.append(node)
        node.configure(self.root / CONFIG, _var_lib_sluice=data)
        node.start()
        self.buy(node, "show")
        self.assertEqual(node.stop(), 0)

    def test_mistakes_in_the_configuration_are_not_tried_again(self):
        given_up = read_unit((self.root / UNIT).read_text())["RestartPreventExitStatus"][0].split()
        file = self.folder / "mistaken.toml"
        for text in ("nmae = 'n1'\n", "partitions = 'many'\n", "partitions = 9999\n", "tls-cert = '/x'\n", None):
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text)
            done = subprocess.run([self.root / "usr/bin/sluiced", "--config", file], capture_output=True, text=True, timeout=20,
                                  cwd=self.folder)
            self.assertIn(str(done.returncode), given_up, (text, done))


class InstalledCase(PackageCase):
    """Installed by dpkg on a machine of its own."""

    NODE = PackagedNode

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = Machine(cls.make_folder("machine"))
        cls.addClassCleanup(cls.machine.close)
        shutil.copy(cls.package, cls.machine.path("/root/sluice.deb"))
        cls.install()
        cls.provider.start()
        cls.node = cls.NODE(cls.make_folder("node"), [], cls.machine.path("/var/lib/sluice"), cls.provider)
        cls.node.configure(cls.machine.path("/" + CONFIG))
        cls.make_member()

    @classmethod
    def make_member(cls):
        """A node that speaks TLS to others, with keys that only its group may read."""
        cls.machine.run("sluicectl", "cluster", "certs", "--out", "/etc/sluice/tls", "node-1")
        cls.machine.run("sh", "-c", "chown root:sluice /etc/sluice/tls/* && chmod 0640 /etc/sluice/tls/*")
        file = cls.machine.path("/" + CONFIG)
        text = re.sub(r"^#(cluster-\w+|peer-listen) ", r"\1 ", file.read_text(), flags=re.M)
        file.write_text(text.replace("10.0.0.11:7080", f"127.0.0.1:{free_port()}"))

    @classmethod
    def install(cls):
        cls.machine.run("dpkg", "-i", "/root/sluice.deb")

    def identity(self):
        """The service's user and group, as the machine numbers them."""
        return tuple(int(self.machine.run("id", what, "sluice").stdout) for what in ("-u", "-g"))


class Installed(InstalledCase):
    """Without systemd: the unit's command line, as its user and with its limits."""

    def test_1_a_user_and_folders(self):
        user = self.machine.run("getent", "passwd", "sluice").stdout.strip().split(":")
        self.assertEqual(user[5:], ["/var/lib/sluice", "/usr/sbin/nologin"])
        keys = self.machine.path("/etc/sluice/tls").stat()
        self.assertEqual((keys.st_uid, keys.st_gid, stat.S_IMODE(keys.st_mode)), (0, self.identity()[1], 0o750))
        self.assertFalse(self.machine.path("/var/lib/sluice").exists(), "its first start makes it")

    def test_2_the_unit_is_sound_where_it_is(self):
        if programs_missing("systemd-analyze"):
            self.skipTest("systemd-analyze is not here (package systemd)")
        done = self.machine.run("systemd-analyze", "verify", "sluiced.service")
        self.assertEqual(done.stdout + done.stderr, "")

    def test_3_its_command_runs(self):
        unit = {name: values[0] for name, values in read_unit(self.machine.path("/" + UNIT).read_text()).items()}
        folder = f"/var/lib/{unit['StateDirectory']}"
        self.machine.run("install", "-d", "-o", unit["User"], "-g", unit["Group"], "-m", unit["StateDirectoryMode"], folder)
        self.programs.append(self.node)
        files = min(int(unit["LimitNOFILE"]), FILES_MAX)
        self.node.command = self.machine.inside(
            "prlimit", f"--nofile={files}", "setpriv", f"--reuid={unit['User']}", f"--regid={unit['Group']}", "--init-groups",
            "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--", *unit["ExecStart"].split())
        self.node.start(umask=int(unit["UMask"], 8), env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.buy(self.node, "show")
        uid, _ = self.identity()
        for file in self.machine.path(folder).rglob("*"):
            told = file.stat()
            self.assertEqual((told.st_uid, told.st_mode & 0o077), (uid, 0), file)
        self.assertIn(f"\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n", pathlib.Path(f"/proc/{self.node.process.pid}/status").read_text())
        told = self.machine.run("sluicectl", "--url", f"http://127.0.0.1:{self.node.port}", "--key-file", f"{folder}/admin.key", "status")
        self.assertIn("READY", told.stdout.upper())
        subprocess.run(["kill", "-HUP", str(self.node.process.pid)], check=True)
        time.sleep(0.2)
        self.assertTrue(self.node.is_ready())
        self.assertEqual(self.node.stop(int(unit["TimeoutStopSec"])), 0)

    def test_4_an_upgrade_keeps_what_was_changed(self):
        before = self.machine.path("/" + CONFIG).read_text()
        self.install()
        self.assertEqual(self.machine.path("/" + CONFIG).read_text(), before)

    def test_5_what_was_sold_outlives_the_package(self):
        self.machine.run("dpkg", "-r", "sluice")
        self.assertFalse(self.machine.path("/usr/bin/sluiced").exists())
        self.assertTrue(self.machine.path("/" + CONFIG).exists())
        told = self.machine.run("dpkg", "-P", "sluice")
        self.assertIn("is kept", told.stderr)
        self.assertFalse(self.machine.path("/" + CONFIG).exists())
        for kept in ("/var/lib/sluice/admin.key", "/etc/sluice/tls/node-1.key"):
            self.assertTrue(self.machine.path(kept).exists(), kept)


class ServiceNode(PackagedNode):
    """Started, stopped and watched by systemd."""

    running = True


class Booted(InstalledCase):
    """systemd runs the unit in its sandbox; a system call beyond it is death."""

    NODE = ServiceNode

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.machine.path("/etc/systemd/system")
        for wants in [*folder.glob("*.wants"), *folder.glob("*.requires")]:
            shutil.rmtree(wants)  # of this machine, not of the one under test
        (folder / "trial.target").write_text("[Unit]\nRequires=sluiced.service\nAfter=sluiced.service\n")
        (folder / "sluiced.service.d").mkdir()
        (folder / "sluiced.service.d/strict.conf").write_text("[Service]\nSystemCallErrorNumber=kill\n")
        cls.machine.boot("trial.target", cls.folder / "boot.log")
        cls.node.wait_ready()

    def shown(self, name):
        return self.machine.systemd("show", "--value", "--property", name, "sluiced").stdout.strip()

    def host_pid(self):
        """The node's process, as numbered outside."""
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                numbers = re.search(r"^NSpid:(.*)$", status.read_text(), re.M)[1].split()
            except OSError:
                continue
            if len(numbers) > 1 and numbers[-1] == self.shown("MainPID"):
                comm = status.with_name("comm").read_text().strip()
                if comm == "sluiced":
                    return int(status.parent.name)
        raise AssertionError("sluiced does not run")

    def test_1_a_sale_in_the_sandbox(self):
        self.buy(self.node, "show")
        status = pathlib.Path(f"/proc/{self.host_pid()}/status").read_text()
        for wanted in (r"^CapEff:\s0+$", r"^CapBnd:\s0+$", r"^NoNewPrivs:\s1$", r"^Seccomp:\s2$"):
            self.assertRegex(status, re.compile(wanted, re.M))
        files = re.search(r"Max open files +(\d+)", pathlib.Path(f"/proc/{self.host_pid()}/limits").read_text())
        self.assertIn(int(files[1]), (262144, FILES_MAX))

    def test_2_reload(self):
        pid = self.shown("MainPID")
        self.machine.systemd("reload", "sluiced")
        self.assertTrue(self.node.is_ready())
        self.assertEqual(self.shown("MainPID"), pid)

    def test_3_it_comes_back_after_a_crash(self):
        self.machine.systemd("kill", "--signal=KILL", "sluiced")
        wait_for(lambda: self.shown("NRestarts") == "1" and self.node.is_ready(), 30, "it is started again", 0.2)
        self.assertTrue(self.node.verify("show")["ok"])

    def test_4_restart_and_stop(self):
        self.machine.systemd("restart", "sluiced")
        self.node.wait_ready()
        self.machine.systemd("stop", "sluiced")
        self.assertEqual((self.shown("Result"), self.shown("ExecMainStatus")), ("success", "0"))
        self.assertFalse(self.node.is_ready())


if __name__ == "__main__":
    if why := missing():
        print("SKIPPED:", why)
        sys.exit(SKIPPED)
    main()
