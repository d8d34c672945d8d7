"""Suites that `make check` does not run must not rot between two runs of `make test`."""

import subprocess
import sys


def test_every_test_and_the_benchmarks_can_be_imported(pytestconfig) -> None:
    for arguments in (
        ["pytest", "--collect-only", "-q", "tests"],
        ["tests.benchmarks", "--help"],
        ["tests.benchmarks.peers", "--help"],
        ["tests.benchmarks.floor", "--help"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=pytestconfig.rootpath,
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
