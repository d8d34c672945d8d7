"""Tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

WIDTH_OFF_TERMINAL = 200
"""Where the output goes to a file or a program, no column is cut."""


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=1))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows; columns whose name begins with ``>`` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else WIDTH_OFF_TERMINAL
    Console(width=width, highlight=False, markup=False, soft_wrap=False).print(table)


def number(value: float | None, *, digits: int = 0) -> str:
    """Spell a number; a dash where it is not known."""
    return "-" if value is None else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """Spell a time in its largest units; a dash where there is none."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d{hours % 24:02}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
