"""The management API of a running fleet, as the command line calls it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.errors import CommandError

TIMEOUT_S = 90.0
"""A purge or a replay works off a bounded number of messages, one request after the other."""
EXIT_REFUSED = 1
EXIT_NO_FLEET = 3
"""As ``penstock status`` has it."""
EXIT_KEY = 77
"""The key is missing, unknown, or no operator's."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key is for this fleet and nobody else."""

    def redirect_request(self, *_: object) -> None:
        """Leave the redirect as the answer."""


_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)
"""Straight to the fleet: no proxy of the environment gets to see the key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered to a request that went well."""

    data: Any
    message: str


@dataclass(frozen=True, slots=True)
class AdminApi:
    """Calls ``/api/v1/admin``.

    Args:
        url: Root of the fleet, without a path.
        key: An operator's.
    """

    url: str
    key: str

    @classmethod
    def of(cls, folder: DataDir, *, url: str | None, key: str | None) -> "AdminApi":
        """Find the fleet: what the options or the environment name, or the one of the data folder.

        Raises:
            CommandError: There is none, or no key for it.
        """
        known = Credentials.read(folder)
        found = (url or known.base_url).rstrip("/")
        if not found:
            raise CommandError(
                f"No fleet has run in {folder.path}. Start one with `penstock up`, or name one with --url "
                "and --key (PENSTOCK_URL, PENSTOCK_OPERATOR_KEY).",
                exit_code=EXIT_NO_FLEET,
            )
        if not found.startswith(("http://", "https://")):
            raise CommandError(f"{found!r} is no URL of a fleet: http://… or https://…", exit_code=2)
        own = found == known.base_url
        if key is None and own and not known.operator_key:
            raise CommandError(
                f"{folder.credentials} holds no operator's key yet: start the fleet anew, or make one with "
                "`penstock keys create --operator --name NAME` and give it with --key.",
                exit_code=EXIT_KEY,
            )
        found_key = key or (known.operator_key if own else "")
        if not found_key:
            raise CommandError(
                "Give an operator's key of that fleet with --key or PENSTOCK_OPERATOR_KEY.",
                exit_code=EXIT_KEY,
            )
        return cls(found, found_key)

    def get(self, path: str, **query: object) -> Answer:
        """Read something; members of the query that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urllib.parse.urlencode(given)}" if given else path, None)

    def post(self, path: str, body: object = None) -> Answer:
        """Do something."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: object) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self.url}/api/v1/admin{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with _HTTP.open(request, timeout=TIMEOUT_S) as answer:
                envelope = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CommandError(
                f"No fleet answers at {self.url}: {reason}. Is it up? `penstock status` tells.",
                exit_code=EXIT_NO_FLEET,
            ) from None
        return Answer(envelope["data"], envelope["message"])


def path_of(*parts: str) -> str:
    """Join the parts of a path, each spelled so that it stays one."""
    return "".join(f"/{urllib.parse.quote(part, safe='')}" for part in parts)


def _refusal(error: urllib.error.HTTPError) -> CommandError:
    try:
        message = str(json.load(error)["message"])
    except (ValueError, LookupError, TypeError, OSError):
        message = f"The fleet answered with status {error.code}."
    return CommandError(message, exit_code=EXIT_KEY if error.code in (401, 403) else EXIT_REFUSED)
