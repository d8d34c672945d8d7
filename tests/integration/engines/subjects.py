"""What the tests of all engines need to know of each: how to make one, write a fact and read it back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from shared.runtime.engines.postgres import EmbeddedPostgres
from shared.runtime.engines.server import EmbeddedServer
from shared.runtime.engines.valkey import EmbeddedValkey


@dataclass(frozen=True, slots=True)
class Subject:
    engine: type[EmbeddedServer]
    write: Callable[[str, str], None]
    """Commits a fact at a URL."""
    read: Callable[[str], str | None]

    def make(self, folder: Path) -> EmbeddedServer:
        return self.engine(folder / "data", folder / "run")


def write_row(url: str, fact: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists facts (fact text)")
        connection.execute("insert into facts values (%s)", (fact,))


def read_row(url: str) -> str | None:
    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass('facts')").fetchone() == (None,):
            return None
        row = connection.execute("select fact from facts").fetchone()
        return str(row[0]) if row else None


def write_key(url: str, fact: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set("fact", fact)


def read_key(url: str) -> str | None:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.get("fact")


POSTGRES = Subject(EmbeddedPostgres, write_row, read_row)
VALKEY = Subject(EmbeddedValkey, write_key, read_key)
