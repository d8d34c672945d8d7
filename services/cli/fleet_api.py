"""The HTTP interface of a running fleet, for commands that ask it as any caller does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import CommandError

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class FleetAddress:
    """Where a fleet answers, and the key to show."""

    url: str
    api_key: str = field(repr=False)

    @classmethod
    def find(cls, folder: DataDir, *, url: str | None, api_key: str | None) -> "FleetAddress":
        """Take what the user named; what is left open is the data folder's.

        The folder's key goes to the folder's fleet only.

        Raises:
            CommandError: There is no fleet in the folder and none was named, or a key is missing.
        """
        known = Credentials.read(folder)
        address = (url or known.base_url).rstrip("/").removesuffix("/v1")
        if not address:
            raise CommandError(
                f"There is no fleet in {folder.path}: start one with `penstock up`, or name one with --url "
                "and --api-key (PENSTOCK_URL, PENSTOCK_API_KEY)."
            )
        key = api_key or (known.api_key if address == known.base_url else "")
        if not key:
            raise CommandError(f"Name the key for {address} with --api-key or PENSTOCK_API_KEY.")
        return cls(address, key)


class RefusedError(CommandError):
    """The fleet answers with an error."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
        """As the API has it; empty where the answer is not the API's."""


class FleetApi:
    """Makes requests; what goes wrong is a message for the user."""

    def __init__(self, address: FleetAddress) -> None:
        self._address = address
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {address.api_key}"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        """Begin; connects with the first request."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.close()

    async def request(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | None] | None = None
    ) -> Any:
        """Return the answer's JSON; None where it has no body.

        Args:
            method: HTTP method.
            path: From ``/v1`` on.
            body: JSON to send.
            query: Parameters; those that are None are left out.

        Raises:
            RefusedError: The fleet answers with an error.
            CommandError: It does not answer, or is no fleet.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = self._address.url + path
        try:
            async with self._http.request(
                method, url, json=body, params=given, allow_redirects=False
            ) as answer:
                text = await answer.text()
        except TimeoutError:
            raise CommandError(f"{self._address.url} does not answer within {TIMEOUT_S:g} s.") from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise CommandError(f"{self._address.url} cannot be reached ({_reason(error)}).") from None
        if answer.status >= 300:
            raise _refused(answer.status, text)
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise CommandError(f"{self._address.url} does not answer as a fleet does.") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _refused(status: int, text: str) -> RefusedError:
    try:
        error = json.loads(text)["error"]
        return RefusedError(f"{error['message']} ({status} {error['code']})", code=str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return RefusedError(f"The fleet answers with {status}: {text[:200]}", code="")
