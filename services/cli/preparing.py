"""The supervisor's side of ``services.cli.preparation``."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from services.cli.credentials import Credentials
from services.cli.errors import CommandError

TIMEOUT_S = 60.0
LAST_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Preparation:
    """A process that has its imports behind it by the time the database answers."""

    _process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Self:
        """Start it; it waits for :meth:`finish`."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.cli.preparation",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=environment,
            )
        )

    async def finish(self, *, postgres_url: str, secret_key: str, known: Credentials) -> Credentials:
        """Migrate the database and return the credentials with keys that it knows.

        Raises:
            CommandError: The database does not answer, or cannot be migrated.
        """
        order = {
            "postgres_url": postgres_url,
            "secret_key": secret_key,
            "known_key": known.api_key,
            "known_operator_key": known.operator_key,
        }
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, errors = await self._process.communicate(json.dumps(order).encode() + b"\n")
        except TimeoutError:
            raise CommandError(f"The database was not ready within {TIMEOUT_S:g} s.") from None
        if self._process.returncode != 0:
            what = errors.decode(errors="replace").strip()[-LAST_CHARACTERS:]
            raise CommandError(f"The database cannot be migrated:\n{what}")
        answer = json.loads(output.splitlines()[-1])
        if answer["outcome"] != "done":
            raise CommandError(f"The database cannot be used: {answer['message']}")
        return Credentials(known.base_url, str(answer["api_key"]), str(answer["operator_key"]))

    async def abandon(self) -> None:
        """End it, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()
