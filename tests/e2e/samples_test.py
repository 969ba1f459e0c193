"""The sample clusters: their files make clusters, and the commands of their README do what it says."""
import re
import subprocess
import tomllib

from harness import Case, Customer, definition, main, wait_for
from programs import PROGRAMS
from samples import SAMPLES, Sample

SIZES = {"three-nodes": 3, "five-nodes": 5}


def commands():
    """The lines of the README's shell blocks that run sluicectl."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (SAMPLES / "README.md").read_text(), re.M | re.S)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip().startswith("sluicectl ")]


class Files(Case):
    def test_each_node_is_itself_and_knows_the_others(self):
        for name, size in SIZES.items():
            files = {f.stem: tomllib.loads(f.read_text()) for f in sorted((SAMPLES / name).glob("*.toml"))}
            self.assertEqual(list(files), [f"n{k}" for k in range(1, size + 1)])
            for title, told in files.items():
                with self.subTest(name=name, title=title):
                    self.assertEqual(told["name"], title)
                    self.assertIn(f"/{title}.crt", told["cluster-cert"])
                    self.assertIn(f"/{title}.key", told["cluster-key"])
                    self.assertEqual(told.get("join"), None if title == "n1" else files["n1"]["peer-address"])
            for own in ("peer-address", "http-address"):
                self.assertEqual(len({f[own] for f in files.values()}), size)
            for same in ("payment-provider", "listen", "peer-listen", "data", "cluster-ca"):
                self.assertEqual(len({f[same] for f in files.values()}), 1)

    def test_a_bridge_is_a_node_without_copies(self):
        node, bridge = (tomllib.loads((SAMPLES / f).read_text()) for f in ("three-nodes/n2.toml", "bridge.toml"))
        self.assertEqual(bridge.pop("role"), "bridge")
        self.assertEqual(bridge, {k: v.replace("n2", "b1").replace("10.0.0.12", "10.0.0.17") if isinstance(v, str) else v
                                  for k, v in node.items()})

    def test_the_proxy_knows_the_three(self):
        proxy = (SAMPLES / "nginx.conf").read_text()
        nodes = {tomllib.loads(f.read_text())["http-address"] for f in (SAMPLES / "three-nodes").glob("*.toml")}
        for upstream in re.findall(r"upstream \w+ \{(.*?)\}", proxy, re.S):
            self.assertEqual(set(re.findall(r"server (\S+)", upstream)), nodes)


class Story(Case):
    """The README from its first step to its last, with five nodes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.make_provider().start()
        cls.sample = Sample(cls.make_folder("five"), "five-nodes", cls.provider)
        cls.programs += cls.sample.nodes

    def run_ctl(self, *words):
        """As in the README, with the key where it says."""
        first = self.sample[1]
        return subprocess.run([str(PROGRAMS / "sluicectl"), "--url", f"http://{first.host}:{first.port}", *words], capture_output=True,
                              text=True, timeout=120, cwd=self.folder, env={"SLUICE_ADMIN_KEY_FILE": str(first.key_file), "PATH": "/usr/bin"})

    def ctl(self, *words):
        done = self.run_ctl(*words)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def await_all_well(self):
        def well():
            done = self.run_ctl("cluster", "status")
            told = self.sample[1].admin("GET", "/cluster")["partitions"]
            return done.returncode == 0 and "all is well" in done.stdout and told and all(
                p["leader"] and len(p["voters"]) == 3 for p in told)
        wait_for(well, 90, lambda: f"the copies are there; {self.sample[1].admin('GET', '/cluster')['partitions']}", 0.3)

    def test_1_the_steps(self):
        """Each command is as in the README; what it says of files and machines is done between them."""
        sample, done = self.sample, []
        for line in commands():
            words = line.split()[1:]
            what = " ".join(words[:2])
            done.append(what)
            if what == "cluster certs":
                at = words.index("n1")
                words[at:] = [n.title for n in sample.nodes]
                words[words.index("--out") + 1] = str(sample.certificates)
            if what == "cluster token":
                for node in sample.nodes[1:]:
                    told = self.ctl(*words)
                    sample.token(re.search(r"^token +(\S+)", told, re.M)[1], node.number)
                    node.start()
                    if node.number == 2:
                        sample[1].edit("#join", "join")
                continue
            if what == "cluster status":
                self.await_all_well()
            self.ctl(*words)
            if what == "cluster certs":
                sample[1].start()
            if what == "cluster replication":
                self.put_event()
            if what == "cluster remove":
                sample[3].stop()
        self.assertLessEqual({"cluster certs", "cluster token", "cluster replication", "backup create", "cluster drain"}, set(done))
        self.assertTrue(sample[1].verify("show")["ok"])

    def put_event(self):
        self.sample[1].put_event(definition("show"))
        Customer(self.sample[4], "show").enter().buy("A-1-1")

    def test_2_a_rolling_restart(self):
        for node in (self.sample[k] for k in (2, 4, 5, 1)):
            self.assertEqual(node.stop(), 0)
            node.start()
            self.await_all_well()
        self.assertTrue(self.sample[2].verify("show")["ok"])

    def test_3_an_empty_disk_founds_no_second_cluster(self):
        """Not even n1's, whose `join` the README has put in."""
        first = self.sample[1]
        first.kill()
        first.data.rename(first.data.with_name("lost"))
        first.start(wait=False)
        self.assertEqual(first.process.wait(20), 1)
        self.assertIn("can not join", first.log_text()[-600:])


if __name__ == "__main__":
    main()
