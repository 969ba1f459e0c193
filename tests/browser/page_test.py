#!/usr/bin/env python3
"""The web page in a real browser: the whole journey, and everything that may come in between.

SLUICE_BIN: folder of sluiced and sandbox-provider (default build/bin).
SLUICE_TEST_OUTPUT: folder for screenshots and logs (default build/test-output/browser).
One story: page_test.py Journey.test_nothing_to_pay. Exits with 77 where no Chromium can be driven."""
import pathlib
import signal
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import webdriver  # noqa: E402
from appearance_stories import Appearance  # noqa: E402,F401
from docs_stories import Docs  # noqa: E402,F401
from journey_stories import Journey  # noqa: E402,F401
from line_stories import Line  # noqa: E402,F401
from page_case import OUTPUT, World  # noqa: E402

if __name__ == "__main__":
    reason = webdriver.missing()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    try:
        told = unittest.main(verbosity=2, exit=False)
    finally:
        World.end()
    print(f"screenshots are in {OUTPUT}")
    sys.exit(0 if told.result.wasSuccessful() else 1)
