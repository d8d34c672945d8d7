"""Requests of a batch as a provider's batch gets them."""

from services.provider_worker.domain.outgoing import for_answer
from services.provider_worker.domain.request_body import with_members
from shared.json_members import members


def for_provider(lines: bytes, model: str) -> bytes:
    """Give each request the provider's name of the model; nothing else changes but our own service tier.

    Args:
        lines: As the scheduler wrote them, each with its end.
        model: As the provider calls it.
    """
    return b"".join(_line(line, model) + b"\n" for line in lines.split(b"\n") if line)


def _line(line: bytes, model: str) -> bytes:
    body = next(line[member.start : member.end] for member in members(line) if member.name == "body")
    return with_members(line, {"body": for_answer(body, model)})
