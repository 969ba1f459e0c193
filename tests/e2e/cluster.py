"""A cluster of real nodes: founded, grown, killed, wiped; and what can be asked of all of them together."""
import shutil
import subprocess

from harness import Case
from programs import PROGRAMS, Node, free_port, wait_for

PARTITIONS = 4  # as programs.Node starts them
SLOTS = 4096


def partition_of(number):
    """Where an event of that number lives."""
    if number == 0:
        return 0
    x, wide = number, (1 << 64) - 1
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & wide
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & wide
    x ^= x >> 33
    return x % SLOTS % PARTITIONS


class Member(Node):
    """One node of a cluster, on an address of its own."""

    def __init__(self, cluster, number, host, *options):
        self.host = host
        self.title = f"n{number}"
        folder = cluster.folder / self.title
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, cluster.provider.port, *options)
        self.cluster = cluster
        self.number = number  # of its place here; its id in the cluster changes with its disk
        self.peer_port = free_port(host)
        self.provider_host = cluster.provider.host
        self.peer_listen = None  # if not at its peer address
        self.extra = []

    @property
    def peer_address(self):
        return f"{self.host}:{self.peer_port}"

    @property
    def key_file(self):
        return self.cluster.key_file

    def start(self, wait=True, more=(), **launch):
        secure = []
        if self.cluster.certificates:
            folder = self.cluster.certificates
            secure = ["--cluster-ca", folder / "ca.crt", "--cluster-cert", folder / f"{self.title}.crt",
                      "--cluster-key", folder / f"{self.title}.key"]
        before = self.options
        self.options = ("--name", self.title, "--peer-listen", self.peer_listen or self.peer_address, *secure, *before, *self.extra, *more)
        try:
            return super().start(wait, **launch)
        finally:
            self.options = before

    def join(self, through, token, wait=True):
        return self.start(wait, ("--join", through.peer_address, "--join-token", token))

    def wait_ready(self, seconds=60):
        wait_for(lambda: not self.running or self.is_ready(), seconds, lambda: f"{self.title} is ready; it says {self.not_ready()}")
        assert self.running, f"{self.title} ended: {self.log_text()[-800:]}"
        self.key = self.key_file.read_text().strip()

    def not_ready(self):
        try:
            return self.client(timeout=2).get("/readyz")
        except Exception as e:  # noqa: BLE001 - only to be read
            return e

    def describe(self):
        return self.admin("GET", "/cluster")

    @property
    def id(self):
        """Its number in the cluster."""
        return next(n["id"] for n in self.describe()["nodes"] if n["name"] == self.title and n["state"] != "REMOVED")


class Cluster:
    """Nodes 1, 2, … of one cluster, with certificates of an authority of their own. `hosts` are their addresses."""

    def __init__(self, folder, provider, size=3, tls=True, options=(), hosts=None):
        self.folder = folder
        self.provider = provider
        self.options = options
        self.hosts = hosts or [f"127.0.0.{k}" for k in range(1, 20)]
        self.certificates = None
        self.key_file = folder / "admin.key"
        self.size = size
        self.homes = {}  # partition by event
        if tls:
            self.certificates = folder / "tls"
            self.certify(*[f"n{k}" for k in range(1, 20)])
        self.nodes = [self.make(k) for k in range(1, size + 1)]

    def make(self, number):
        return Member(self, number, self.hosts[number - 1], *self.options)

    def certify(self, *names, folder=None):
        subprocess.run([str(PROGRAMS / "sluicectl"), "cluster", "certs", "--out", str(folder or self.certificates), *names],
                       check=True, capture_output=True)

    def __getitem__(self, number):
        """Node `number`, from 1."""
        return self.nodes[number - 1]

    # ---- life ----

    def found(self):
        """The first node alone."""
        first = self[1]
        first.start(wait=False)
        wait_for(lambda: not first.running or (first.data / "admin.key").exists(), 30, "the first node makes a key")
        if first.running:
            self.key_file.write_text((first.data / "admin.key").read_text())
            self.key_file.chmod(0o600)
        first.wait_ready()
        return self

    def start(self):
        self.found()
        for node in self.nodes[1:]:
            self.let_in(node)
        if self.size > 1:
            self.replicate(3 if self.size < 5 else 5)
            self.await_replicated()
        return self

    def let_in(self, node, through=None, *more):
        through = through or self.any(but=node)
        token = through.admin("POST", "/cluster/actions/join", {})["token"]
        node.extra += more
        node.join(through, token)

    def add(self, *options):
        """One more node, of the next number."""
        node = self.make(len(self.nodes) + 1)
        self.nodes.append(node)
        self.let_in(node, None, *options)
        return node

    def restart_all(self):
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()

    def wipe(self, node):
        """Its disk is gone: it comes back as its own replacement."""
        node.kill()
        shutil.rmtree(node.data)
        through = self.any(but=node)
        token = through.admin("POST", "/cluster/actions/replace", {"node": node.title})["token"]
        node.join(through, token)

    # ---- asking ----

    def live(self):
        return [n for n in self.nodes if n.running]

    def any(self, but=None):
        return next(n for n in self.nodes if n.running and n is not but)

    def act(self, action, **body):
        self.any().admin("POST", f"/cluster/actions/{action}", body)

    def replicate(self, copies):
        self.act("replication", factor=copies)

    def describe(self, by=None):
        return (by or self.any()).describe()

    def leader_id(self, partition, by=None):
        """0 while nobody leads."""
        told = self.describe(by)["partitions"]
        return next((p["leader"] for p in told if p["id"] == partition), 0)

    def member(self, id):
        """The node here that has this number in the cluster."""
        names = {n["id"]: n["name"] for n in self.describe()["nodes"]}
        return next(n for n in self.nodes if n.title == names[id])

    def leader(self, partition, by=None):
        id = wait_for(lambda: self.leader_id(partition, by), 20, f"partition {partition} has a leader")
        return self.member(id)

    def make_lead(self, node, partition, seconds=30):
        """Asks again where the leader could not hand over just then."""
        for _ in range(seconds):
            self.any().admin("POST", "/cluster/actions/transfer", {"partition": partition, "to": node.title}, expect=(204, 409))
            try:
                return wait_for(lambda: self.leader_id(partition) == node.id, 1, f"{node.title} leads partition {partition}")
            except AssertionError:
                continue
        raise AssertionError(f"{node.title} does not get to lead partition {partition}")

    def put_event(self, event):
        """Its number; from then on `home` knows where it lives."""
        number = self.any().put_event(event)["number"]
        self.homes[event["id"]] = partition_of(number)
        for node in self.live():
            wait_for(lambda: node.client().get(f"/api/v1/events/{event['id']}").status == 200, 10,
                     f"{node.title} knows of {event['id']}")
        return number

    def leader_of_event(self, event, by=None):
        return self.leader(self.homes[event], by)

    # ---- waiting ----

    def await_replicated(self, copies=None, seconds=60):
        """Every partition has a leader and so many voters, which are all there and nobody else."""
        copies = copies or (1 if self.size < 3 else 3 if self.size < 5 else 5)

        def done():
            told = self.describe()
            return len(told["partitions"]) == PARTITIONS and all(
                p["leader"] and len(p["voters"]) == copies == len(p["replicas"]) and
                all(r["kind"] == "VOTER" and not r["rejoining"] for r in p["replicas"]) for p in told["partitions"])
        wait_for(done, seconds, lambda: f"every partition has {copies} voters; {self.describe()['partitions']}", 0.1)

    def await_equal_states(self, seconds=30):
        """Every replica of every partition has applied the same entries, and came to the same state."""
        def states():
            return {p["id"]: {r["node"]: (r["index"], r["stateHash"]) for r in p["replicas"]}
                    for p in self.describe()["partitions"]}

        def equal():
            found = states()
            return found if all(len(set(of.values())) == 1 for of in found.values()) else None
        return wait_for(equal, seconds, lambda: f"all replicas are in the same state; {states()}", 0.3)


class ClusterCase(Case):
    """A test class with a cluster and a provider."""

    SIZE = 3
    TLS = True
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.cluster = cls.make_cluster()

    @classmethod
    def make_cluster(cls, name="cluster", size=None, tls=None, options=None, start=True):
        made = Cluster(cls.make_folder(name), cls.provider, size or cls.SIZE, cls.TLS if tls is None else tls,
                       cls.OPTIONS if options is None else options)
        cls.programs += made.nodes
        if start:
            made.start()
        return made
