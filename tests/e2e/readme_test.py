"""The commands of README.md, run as a newcomer would: in order, in one shell, beside tools/run.

Fenced ```sh blocks between `<!-- first ticket: begin -->` and the end of "Set an event up" are run. A comment right before a block
steers it: `<!-- test: skip REASON -->`, or `<!-- test: expects TEXT -->` for text its output must hold. Port 8080 and the folder
var/ are replaced by those of this test's own node.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import OUTPUT, PROGRAMS, REPOSITORY, free_port, main, wait_for

README = REPOSITORY / "README.md"
BEGIN = "first ticket: begin"
SAMPLE = """\
# Title
```sh
not run
```
<!-- first ticket: begin -->
Some words.
```sh
curl http://127.0.0.1:8080/x
```
<!-- test: expects two words -->
```sh
echo two \\
  words
```
<!-- test: skip it takes too long -->
```sh
sleep 1000
```
```json
{"not": "a command"}
```
<!-- first ticket: end -->
## Set an event up
```sh
cat var/admin.key
```
## Elsewhere
```sh
not run
```
"""


class Block:
    def __init__(self, line, text, expects, skipped):
        self.line = line
        self.text = text
        self.expects = expects
        self.skipped = skipped


def blocks_of(text, sections=("Set an event up",)):
    """The blocks to run: between the markers, and in these sections."""
    blocks, inside, section, fence, expects, skipped = [], False, None, None, None, None
    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None:
            if line.startswith("```"):
                language, start, lines = fence
                if language == "sh" and (inside or section in sections):
                    blocks.append(Block(start, "\n".join(lines), expects, skipped))
                fence, expects, skipped = None, None, None
            else:
                fence[2].append(line)
            continue
        if line.startswith("```"):
            fence = (line[3:].strip(), number + 1, [])
        elif comment := re.fullmatch(r"<!-- (.*) -->", line.strip()):
            said = comment.group(1)
            if said.startswith("first ticket:"):
                inside = said == BEGIN
            elif said.startswith("test: expects "):
                expects = said.removeprefix("test: expects ")
            elif said.startswith("test: skip"):
                skipped = said.removeprefix("test: skip").strip() or "no reason given"
        elif line.startswith("#"):
            section, expects, skipped = line.lstrip("#").strip(), None, None
        elif line.strip():
            expects, skipped = None, None
    return blocks


def here(text, port, data):
    """The same commands for another port, data folder and place of the programs."""
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("localhost:8080", f"localhost:{port}")
    text = re.sub(r"(?<![\w./-])var/", f"{data}/", text)
    return text.replace("build/bin/", f"{PROGRAMS}/")


class Reading(unittest.TestCase):
    def test_blocks_are_found_with_what_is_said_of_them(self):
        blocks = blocks_of(SAMPLE)
        self.assertEqual([b.text for b in blocks],
                         ["curl http://127.0.0.1:8080/x", "echo two \\\n  words", "sleep 1000", "cat var/admin.key"])
        self.assertEqual([b.expects for b in blocks], [None, "two words", None, None])
        self.assertEqual([b.skipped for b in blocks], [None, None, "it takes too long", None])
        self.assertEqual(blocks[0].line, 8)
        self.assertEqual(here("curl http://127.0.0.1:8080/x var/admin.key /var/log", 99, "/d"),
                         "curl http://127.0.0.1:99/x /d/admin.key /var/log")


class Readme(unittest.TestCase):
    """One node from tools/run, one shell."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-readme-"))
        cls.port = free_port()
        cls.data = cls.folder / "data"
        cls.log = cls.folder / "run.log"
        with open(cls.log, "wb") as log:
            # It ends with this test, however that ends.
            cls.running = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", REPOSITORY / "tools/run", "--port", str(cls.port),
                                            "--data", str(cls.data)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: "Ctrl-C stops all of it." in cls.log.read_text() or cls.running.poll() is not None, 300, "tools/run is up")
            if cls.running.poll() is not None:
                raise AssertionError(cls.log.read_text())
        except AssertionError:
            cls.keep()
            raise

    @classmethod
    def keep(cls):
        if cls.running.poll() is None:
            cls.running.send_signal(signal.SIGTERM)
            cls.running.wait(30)
        kept = OUTPUT / "Readme"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for file in [*cls.folder.glob("*.log"), *cls.data.glob("*.log")]:
            shutil.copy(file, kept)
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def tearDownClass(cls):
        cls.keep()

    def test_1_the_commands_work(self):
        blocks = [b for b in blocks_of(README.read_text()) if not b.skipped]
        self.assertGreater(len(blocks), 3, "README.md has too few commands; are its markers still there?")
        mark = "--- end of block"
        script = "failed=0; trap 'failed=$?' ERR\n" + "".join(
            f"{here(b.text, self.port, self.data)}\necho; echo '{mark}' $failed; failed=0\n" for b in blocks)
        environment = {**os.environ, "SLUICE_URL": f"http://127.0.0.1:{self.port}",
                       "SLUICE_ADMIN_KEY_FILE": str(self.data / "admin.key")}
        environment.pop("SLUICE_ADMIN_KEY", None)
        done = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL)
        (self.folder / "commands.log").write_text(done.stdout + done.stderr)
        outputs = re.split(rf"^{mark} (\d+)$", done.stdout, flags=re.MULTILINE)
        for block, output, status in zip(blocks, outputs[::2], outputs[1::2]):
            with self.subTest(line=block.line):
                where = f"README.md:{block.line}\n{block.text}\n{output}{done.stderr}"
                self.assertEqual(status, "0", where)
                self.assertNotIn("application/problem+json", output, where)
                self.assertNotRegex(output, r'"status":[45]\d\d', where)
                if block.expects:
                    self.assertIn(block.expects, output, where)
        self.assertEqual(len(outputs) // 2, len(blocks), "the shell ended early: " + done.stderr)

    def test_2_a_second_one_is_told_what_is_taken(self):
        def refused(*arguments):
            done = subprocess.run([REPOSITORY / "tools/run", *arguments], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            return done.stderr
        self.assertIn("something listens", refused("--port", str(self.port), "--data", str(self.folder / "other")))
        self.assertIn("another node uses the data folder", refused("--port", str(free_port()), "--data", str(self.data)))

    def test_3_a_signal_stops_all_of_it(self):
        children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.running.pid)], capture_output=True, text=True).stdout
        self.assertIn("sluiced", children)
        self.running.send_signal(signal.SIGTERM)
        self.assertEqual(self.running.wait(30), 0)
        for line in children.splitlines():
            self.assertFalse(pathlib.Path("/proc", line.split()[0]).exists(), line)


if __name__ == "__main__":
    main()
