"""Tables for people, JSON for programs."""

import json
from collections.abc import Sequence


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=1))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows aligned below their headings."""
    print(aligned(headings, rows))


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align rows; columns whose heading begins with ``>`` to the right.

    Nothing is cut: what stands in a table, such as an id, is there to be used again.
    """
    names = [heading.removeprefix(">") for heading in headings]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    spelled = [
        f"{'>' if heading.startswith('>') else '<'}{width}"
        for heading, width in zip(headings, widths, strict=True)
    ]
    return "\n".join(
        "  ".join(format(cell, how) for cell, how in zip(row, spelled, strict=True)).rstrip()
        for row in [names, *rows]
    )


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
