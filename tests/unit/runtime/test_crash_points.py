"""A process dies where a file says so, once, and nowhere else."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.crash_points import CrashPoint, CrashPoints

LIFE = """
import sys
from pathlib import Path
from shared.runtime.crash_points import CrashPoint, CrashPoints

points = CrashPoints()
points.arm(Path(sys.argv[1]))
for number in range(3):
    points.reach(CrashPoint.CLAIM_GRANTED)
    print(number, flush=True)
"""


def live(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIFE, folder], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(("times", "passed"), [("", 0), ("1", 0), ("2", 1)])
def test_the_process_that_comes_to_a_point_dies_there_and_the_next_one_lives(
    times: str, passed: int, tmp_path: Path
) -> None:
    (tmp_path / CrashPoint.CLAIM_GRANTED).write_text(times)
    (tmp_path / CrashPoint.CALL_ANNOUNCED).touch()
    dead = live(tmp_path)
    assert (dead.returncode, dead.stdout.split()) == (-signal.SIGKILL, [str(n) for n in range(passed)])
    assert live(tmp_path).returncode == 0
    assert [order.name for order in tmp_path.iterdir()] == [CrashPoint.CALL_ANNOUNCED]


def test_points_do_nothing_where_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / CrashPoint.CLAIM_GRANTED).touch()
    CrashPoints().reach(CrashPoint.CLAIM_GRANTED)
    assert (tmp_path / CrashPoint.CLAIM_GRANTED).exists()
