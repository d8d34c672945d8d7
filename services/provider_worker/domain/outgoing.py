"""A caller's body as a provider gets it: another model name, usage asked for, nothing else changed."""

import json
from collections.abc import Mapping

from services.provider_worker.domain.json_text import parse
from services.provider_worker.domain.request_body import with_members
from shared.json_members import members

_TRUE, _FALSE, _WITH_USAGE = b"true", b"false", b'{"include_usage":true}'
_BATCH_TIER, _AUTO_TIER = b'"batch"', b'"auto"'


def for_answer(body: bytes, model: str) -> bytes:
    """Ask for a whole answer.

    Raises:
        InvalidRequestError: The body is not a JSON object.
    """
    return with_members(body, {"model": _quoted(model)}, where_present={"stream": _FALSE, **_tier(body)})


def for_stream(body: bytes, model: str) -> bytes:
    """Ask for a stream that ends with its usage, whether or not the caller asked for that.

    Raises:
        InvalidRequestError: The body is not a JSON object.
    """
    options = _stream_options(body)
    if options.startswith(b"{"):
        options = with_members(options, {"include_usage": _TRUE})
    elif options == b"null":
        options = _WITH_USAGE
    changes = {"model": _quoted(model), "stream": _TRUE, "stream_options": options}
    return with_members(body, changes, where_present=_tier(body))


def wants_usage(body: bytes) -> bool:
    """Whether the caller asked for the chunk that holds the usage of a stream."""
    options = _stream_options(body)
    if not options.startswith(b"{"):
        return False
    try:
        return parse(options).get("include_usage") is True
    except ValueError:
        return False


def _tier(body: bytes) -> Mapping[str, bytes]:
    """Say ``auto`` instead of ``batch``, which is a lane of ours: a provider would refuse it."""
    if _BATCH_TIER not in body:
        return {}
    tiers = (body[found.start : found.end] for found in members(body) if found.name == "service_tier")
    return {"service_tier": _AUTO_TIER} if _BATCH_TIER in tiers else {}


def _stream_options(body: bytes) -> bytes:
    found = b"null"
    for member in members(body):
        if member.name == "stream_options":
            found = body[member.start : member.end]
    return found


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()
