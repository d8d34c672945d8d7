"""Rows turned into the arrays that ``unnest`` takes."""

from collections.abc import Iterable

from shared.storage.postgres import Connection


async def execute_rows(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Run a statement whose parameters are arrays, one for each field of the rows; no rows, no statement."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        await connection.execute(statement, *columns)
