"""Decisions are numbered one after the other, and what texts say of them can be found."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HEADING = re.compile(r"# (\d+)\. \S")
MENTION = re.compile(r"\bdecisions? (\d+)(?:,? and (\d+))?", re.IGNORECASE)
TEST_FILE = re.compile(r"`(tests/[\w/]+\.py)`")


@pytest.fixture
def decisions(pytestconfig: pytest.Config) -> dict[int, Path]:
    files = sorted(Path(pytestconfig.rootpath, "docs/decisions").glob("*.md"))
    numbers = {int(file.name.split("-")[0]): file for file in files}
    assert len(numbers) == len(files), "two decisions have one number"
    return numbers


def mentioned(root: Path) -> Iterator[tuple[Path, int]]:
    for folder, pattern in (("docs", "*.md"), ("services", "*.py"), ("shared", "*.py")):
        for file in Path(root, folder).rglob(pattern):
            for found in MENTION.finditer(file.read_text()):
                yield from ((file, int(number)) for number in found.groups() if number)


def test_numbers_have_neither_gaps_nor_doubles_and_headings_say_the_same(decisions: dict[int, Path]) -> None:
    assert sorted(decisions) == list(range(1, len(decisions) + 1))
    for number, file in decisions.items():
        heading = HEADING.match(file.read_text())
        assert heading is not None, file
        assert int(heading[1]) == number


def test_whatever_a_text_refers_to_exists(decisions: dict[int, Path], pytestconfig: pytest.Config) -> None:
    unknown = [one for one in mentioned(pytestconfig.rootpath) if one[1] not in decisions]
    assert unknown == []
    tests = {name for file in decisions.values() for name in TEST_FILE.findall(file.read_text())}
    assert [name for name in sorted(tests) if not Path(pytestconfig.rootpath, name).exists()] == []
