"""The clusters of cluster/samples, run here: their files as they are, but for addresses, ports and folders."""
import re
import subprocess

from programs import PROGRAMS, REPOSITORY, Node, free_port, wait_for

SAMPLES = REPOSITORY / "cluster" / "samples"


class SampleNode(Node):
    """A node that knows only its configuration file."""

    def __init__(self, sample, number, title=None, text=None):
        self.host = sample.host(number)
        self.title = title or f"n{number}"
        folder = sample.folder / self.title
        folder.mkdir()
        super().__init__(folder, None)
        self.number = number
        self.port = sample.http_port
        self.sample = sample
        self.config = folder / "sluiced.toml"
        text = text or (SAMPLES / sample.name / f"{self.title}.toml").read_text()
        self.config.write_text(sample.here(text, self))

    @property
    def key_file(self):
        return self.sample.nodes[0].data / "admin.key"

    def edit(self, before, after):
        text = self.config.read_text()
        assert text.count(before) == 1, f"{before} in {self.config}"
        self.config.write_text(text.replace(before, after))

    def start(self, wait=True, **launch):
        self.launch("--config", self.config, **launch)
        if wait:
            self.wait_ready()
        return self


class Sample:
    """The cluster `name`, on addresses of its own of this machine. Its certificates are to be made first."""

    def __init__(self, folder, name, provider):
        self.folder = folder
        self.name = name
        self.provider = provider
        self.certificates = folder / "tls"
        self.http_port, self.peer_port = free_port("127.0.2.1"), free_port("127.0.2.1")
        numbers = sorted(int(f.stem[1:]) for f in (SAMPLES / name).glob("n*.toml"))
        self.nodes = [SampleNode(self, n) for n in numbers]
        self.bridges = []

    def host(self, number):
        return f"127.0.2.{number}"

    def here(self, text, node=None):
        """`text` of the samples, for this machine; node's own addresses and folders where it is about one."""
        text = text.replace("10.0.0.20:8090", f"{self.provider.host}:{self.provider.port}")
        text = re.sub(r"\b10\.0\.0\.1(\d)\b", r"127.0.2.\1", text)
        text = re.sub(r"(?<=\d):8080\b", f":{self.http_port}", text)
        text = re.sub(r"(?<=\d):7080\b", f":{self.peer_port}", text)
        text = text.replace("/etc/sluice/tls", str(self.certificates))
        if node:
            text = text.replace("0.0.0.0", node.host).replace("/var/lib/sluice", str(node.data))
        return text

    def __getitem__(self, number):
        """Node `number`, from 1."""
        return self.nodes[number - 1]

    def token(self, token, number):
        self[number].edit('join-token = ""', f'join-token = "{token}"')

    # ---- the steps of the samples' README, for tests that are about something else ----

    def start(self):
        names = [n.title for n in self.nodes]
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(self.certificates), *names], check=True,
                       capture_output=True)
        self[1].start()
        for node in self.nodes[1:]:
            self.token(self[1].admin("POST", "/cluster/actions/join", {})["token"], node.number)
            node.start()
        self[1].admin("POST", "/cluster/actions/replication", {"factor": len(names)})
        self.await_replicated(len(names))
        return self

    def add_bridge(self):
        """The next of bridge.toml, running; also its certificate is made here."""
        count = len(self.bridges) + 1
        text = (SAMPLES / "bridge.toml").read_text().replace("b1", f"b{count}").replace("10.0.0.17", f"10.0.0.1{6 + count}")
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(self.certificates), f"b{count}"], check=True,
                       capture_output=True)
        made = SampleNode(self, 6 + count, f"b{count}", text)
        made.edit('join-token = ""', f'join-token = "{self[1].admin("POST", "/cluster/actions/join", {})["token"]}"')
        self.bridges.append(made)
        return made.start()

    def await_replicated(self, copies, seconds=90):
        def done():
            told = self[1].admin("GET", "/cluster")["partitions"]
            return told and all(p["leader"] and len(p["voters"]) == copies for p in told)
        wait_for(done, seconds, f"every partition has {copies} copies", 0.2)
