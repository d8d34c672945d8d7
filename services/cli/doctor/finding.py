"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    state: Literal["ok", "note", "wrong"]
    """``note``: worth knowing, and no reason to fail."""
    detail: str
    remedy: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", detail)


def note(check: str, detail: str, remedy: str = "") -> Finding:
    """Nothing has to be done."""
    return Finding(check, "note", detail, remedy)


def wrong(check: str, detail: str, remedy: str) -> Finding:
    """Something has to be done."""
    return Finding(check, "wrong", detail, remedy)
