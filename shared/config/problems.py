"""What is wrong with the configuration, said so that it can be put right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. None of the fields ever holds a configured value."""

    field: str
    """Dotted path of the setting, or the file that cannot be read."""
    fault: str
    source: str
    """Where the value came from, e.g. ``environment PENSTOCK_BROKER__URL``; empty where there is none."""
    remedy: str

    def __str__(self) -> str:
        """Spell it in one line."""
        source = f" (from {self.source})" if self.source else ""
        return f"{self.field}: {self.fault}{source}. {self.remedy}"


class ConfigurationError(Exception):
    """The configuration cannot be used; starting again does not help until somebody changes it."""

    def __init__(self, problems: Sequence[Problem], *, service: str = "") -> None:
        self.problems = tuple(problems)
        of = f" of {service}" if service else ""
        lines = [f"The configuration{of} cannot be used:", *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))
