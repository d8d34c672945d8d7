"""``deploy/bootstrap-uv`` on machines whose Python cannot install anything, played by stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "bootstrap-uv"
PYTHON = """\
case "$*" in
    "-c "*) echo python3.11-venv ;;
    "-m venv "*) test -e "$0.has-venv" && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip --version") exit 1 ;;
esac
"""
APT = """\
echo "$*" >>"$0.calls"
case "$*" in *install*python3.11-venv*) touch "${0%apt-get}python.has-venv" ;; esac
"""


@pytest.fixture
def bootstrap(tmp_path):
    def run(user: int) -> subprocess.CompletedProcess[str]:
        for name, body in {"python": PYTHON, "apt-get": APT, "id": f"echo {user}"}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / name).chmod(0o755)
        return subprocess.run(
            [SCRIPT, tmp_path / "python", tmp_path / "uv"],
            env={"PATH": f"{tmp_path}:{os.defpath}"},
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run


def test_root_gets_the_missing_package(bootstrap, tmp_path):
    done = bootstrap(user=0)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "uv" / "bin" / "python").exists()
    assert "update" in (tmp_path / "apt-get.calls").read_text()


def test_an_ordinary_user_is_told_what_to_install(bootstrap, tmp_path):
    done = bootstrap(user=1000)
    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr
    assert not (tmp_path / "apt-get.calls").exists()
    assert not (tmp_path / "uv").exists()
