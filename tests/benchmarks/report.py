"""The tables of ``docs/benchmarks.md``, printed as they are measured, and the same as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass
class Report:
    """What was measured with one broker."""

    broker: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    """The figures that a budget names, e.g. ``sync.64.per_second``."""

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = ""
    ) -> None:
        """Print a table and keep it."""
        self.tables.append({"title": title, "columns": list(columns), "rows": [list(row) for row in rows]})
        print(markdown(title, columns, rows, note), flush=True)

    def fact(self, name: str, value: float) -> None:
        self.facts[name] = value

    def as_json(self) -> dict[str, Any]:
        return {"broker": self.broker, "facts": self.facts, "tables": self.tables}


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = "") -> str:
    """Spell a table in Markdown, with its title above and a note below."""
    lines = [f"\n**{title}**\n", _line(columns), "|" + "---|" * len(columns)]
    lines += [_line([spell(cell) for cell in row]) for row in rows]
    return "\n".join([*lines, *([f"\n{note}"] if note else [])])


def by_process(per_column: Sequence[Mapping[str, float]]) -> list[list[Cell]]:
    """Make rows of processes from columns of figures, with their sums below."""
    rows: list[list[Cell]] = [[name, *(column[name] for column in per_column)] for name in per_column[0]]
    return [*rows, ["all", *(sum(column.values()) for column in per_column)]]


def spell(cell: Cell) -> str:
    """Three significant digits are enough below 100; whole numbers above."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
