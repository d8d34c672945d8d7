"""The HTTP interface of a running fleet, as the commands ask it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import EXIT_FAILED, EXIT_KEY, EXIT_NO_FLEET, EXIT_USAGE, CommandError

TIMEOUT_S = 90.0
"""A purge or a replay works off a bounded number of messages, one after the other, in one request."""
ADMIN = ("api", "v1", "admin")
"""Where the management routes begin, for ``path_of``."""


class RefusedError(CommandError):
    """The fleet answers with an error."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message, exit_code=EXIT_KEY if status in (401, 403) else EXIT_FAILED)
        self.code = code
        """As the API has it; empty where the answer is not the API's."""


@dataclass(frozen=True, slots=True)
class FleetApi:
    """Makes requests; what goes wrong is a message for the user.

    Args:
        url: Root of the fleet, without a path.
        key: A tenant's or an operator's.
    """

    url: str
    key: str = field(repr=False)

    @classmethod
    def find(cls, folder: DataDir, *, url: str | None, key: str | None, operator: bool = False) -> "FleetApi":
        """Take what the user named; what is left open is the data folder's.

        The folder's keys go to the folder's fleet only.

        Args:
            folder: Of a fleet of this machine.
            url: Root of a fleet, or its OpenAI base URL.
            key: To show there.
            operator: Whether to take the folder's key for operators or the one for callers.

        Raises:
            CommandError: There is no fleet in the folder and none was named, or a key is missing.
        """
        known = Credentials.read(folder)
        root = (url or known.base_url).rstrip("/").removesuffix("/v1")
        variable = "PENSTOCK_OPERATOR_KEY" if operator else "PENSTOCK_API_KEY"
        if not root:
            raise CommandError(
                f"No fleet has run in {folder.path}: start one with `penstock up`, or name one with --url "
                f"and --api-key (PENSTOCK_URL, {variable}).",
                exit_code=EXIT_NO_FLEET,
            )
        if not root.startswith(("http://", "https://")):
            raise CommandError(f"{root!r} is no URL of a fleet: http://… or https://…", exit_code=EXIT_USAGE)
        folders = known.operator_key if operator else known.api_key
        found = (key or (folders if root == known.base_url else "")).strip()
        if not found:
            whose = "an operator's key" if operator else "a key"
            raise CommandError(
                f"Give {whose} for {root} with --api-key or {variable}; "
                f"`penstock keys create{' --operator' if operator else ''}` makes one.",
                exit_code=EXIT_KEY,
            )
        if not (found.isascii() and found.isprintable()):
            raise CommandError("The key has characters that no key has.", exit_code=EXIT_KEY)
        return cls(root, found)

    def get(self, path: str, **query: object) -> Any:
        """Read something; members of the query that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urllib.parse.urlencode(given)}" if given else path)

    def post(self, path: str, body: object = None) -> Any:
        """Do something; returns the answer's JSON."""
        return self._call("POST", path, body)

    def delete(self, path: str) -> None:
        """Remove something."""
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer's JSON; None where it has no body."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(  # noqa: S310 - the scheme was checked
                self.url + path, content, headers, method=method
            )
            with _DIRECT.open(request, timeout=TIMEOUT_S) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CommandError(
                f"{self.url} cannot be reached ({reason}). Is the fleet up? `penstock status` tells.",
                exit_code=EXIT_NO_FLEET,
            ) from None
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise CommandError(
                f"{self.url} does not answer as a fleet does.", exit_code=EXIT_NO_FLEET
            ) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A fleet redirects nothing, and the key is for nobody else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Leave the answer as it is: an error."""


_DIRECT = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
"""Asks the fleet itself, whatever proxies the environment names."""


def path_of(*parts: str) -> str:
    """Join the parts of a path, each spelled so that it stays one."""
    return "".join(f"/{urllib.parse.quote(part, safe='')}" for part in parts)


def _refusal(error: urllib.error.HTTPError) -> RefusedError:
    try:
        answer = json.load(error)
        # Errors of OpenAI's shape, and the envelope of the management routes.
        message, code = (
            (answer["error"]["message"], answer["error"]["code"])
            if isinstance(answer["error"], dict)
            else (answer["message"], answer["error"])
        )
    except (ValueError, LookupError, TypeError, OSError, HTTPException):
        return RefusedError(f"The fleet answers with {error.code}.", status=error.code, code="")
    return RefusedError(f"{message} ({error.code} {code})", status=error.code, code=str(code))
