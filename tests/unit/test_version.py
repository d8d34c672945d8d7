import tomllib
from pathlib import Path

from shared import __version__


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == __version__
