"""What the routes of webhook endpoints take."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.ingress.domain.checks import expect, refuse_unknown, required, storable, wrong_type
from services.ingress.domain.json_text import parse_object
from services.ingress.domain.metadata import read_metadata
from shared.errors import UnprocessableRequestError

MAX_EVENTS = 50
MAX_DESCRIPTION = 500
EVERY_EVENT = ("*",)
DEFAULT_OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)
_FIELDS = {"url", "events", "description", "metadata", "enabled"}
_PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFields:
    """Members of an endpoint that its owner chooses; None leaves what is there."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | None = None
    metadata: Mapping[str, Any] | None = None
    enabled: bool | None = None


def read_new_endpoint(body: bytes) -> EndpointFields:
    """Check the body of ``POST /v1/webhook_endpoints``; every member is there afterwards.

    The URL's text is taken as it is: whether it may be called is the egress guard's to say.

    Raises:
        InvalidRequestError: With the member at fault.
    """
    given = _fields(body)
    required(given, "url")
    fields = _read(given)
    return EndpointFields(
        url=fields.url,
        events=fields.events or EVERY_EVENT,
        description=fields.description or "",
        metadata=fields.metadata or {},
        enabled=fields.enabled is not False,
    )


def read_endpoint_change(body: bytes) -> EndpointFields:
    """Check the body of a change: only what is named changes, null puts the default back.

    Raises:
        InvalidRequestError: With the member at fault.
    """
    given = _fields(body)
    if "url" in given:
        required(given, "url")
    return _read(given)


def read_overlap(body: bytes) -> timedelta:
    """Read how long the secrets so far stay good beside a new one: ``{"overlap_s": 0 … 604800}``.

    Raises:
        InvalidRequestError: With the member at fault.
    """
    if not body.strip():
        return DEFAULT_OVERLAP
    given = parse_object(body)
    refuse_unknown(given, {"overlap_s"})
    seconds = given.get("overlap_s")
    if seconds is None:
        return DEFAULT_OVERLAP
    expect(seconds, "a number", "overlap_s")
    if not 0 <= seconds <= MAX_OVERLAP.total_seconds():
        raise UnprocessableRequestError(
            f"'overlap_s' must be from 0 to {MAX_OVERLAP.total_seconds():.0f} seconds.", param="overlap_s"
        )
    return timedelta(seconds=seconds)


def _fields(body: bytes) -> dict[str, Any]:
    given = parse_object(body)
    refuse_unknown(given, _FIELDS)
    return given


def _read(given: Mapping[str, Any]) -> EndpointFields:
    url = given.get("url")
    if url is not None:
        expect(url, "a string", "url")
    return EndpointFields(
        url=url,
        events=_events(given["events"]) if "events" in given else None,
        description=_description(given["description"]) if "description" in given else None,
        metadata=read_metadata(given["metadata"]) if "metadata" in given else None,
        enabled=_enabled(given["enabled"]) if "enabled" in given else None,
    )


def _events(value: object) -> tuple[str, ...]:
    if value is None:
        return EVERY_EVENT
    if not isinstance(value, list):
        raise wrong_type(value, "an array", "events")
    if not 1 <= len(value) <= MAX_EVENTS:
        raise UnprocessableRequestError(f"'events' must name 1 to {MAX_EVENTS} types.", param="events")
    for index, pattern in enumerate(value):
        param = f"events[{index}]"
        expect(pattern, "a string", param)
        if len(pattern) > 100 or _PATTERN.fullmatch(pattern) is None:
            raise UnprocessableRequestError(
                f"'{param}' must be a type of event such as 'job.completed', all of a kind such as 'job.*', "
                "or '*'.",
                param=param,
            )
    return tuple(dict.fromkeys(value))


def _description(value: object) -> str:
    if value is None:
        return ""
    expect(value, "a string", "description")
    text = storable(str(value), "description")
    if len(text) > MAX_DESCRIPTION:
        raise UnprocessableRequestError(
            f"'description' must not be longer than {MAX_DESCRIPTION} characters.", param="description"
        )
    return text


def _enabled(value: object) -> bool:
    if value is None:
        return True
    expect(value, "a boolean", "enabled")
    return value is True
