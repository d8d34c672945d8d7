"""Databases of their own for test modules, on one server."""

from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql


class Databases:
    """Creates databases on the server of `url`, and drops those that it created."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._names: list[str] = []

    def create(self) -> str:
        """Make an empty database and give its URL."""
        name = f"test_{uuid4().hex}"
        self._execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        self._names.append(name)
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def drop_all(self) -> None:
        for name in self._names:
            self._execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        self._names.clear()

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)
