"""The ``webhook`` of a submission: whom to tell of the job's end."""

from dataclasses import dataclass
from typing import Any

from services.ingress.domain.callable_url import read_callable_url
from services.ingress.domain.checks import expect, required, wrong_type
from shared.contracts.jobs import JobStatus
from shared.errors import InvalidRequestError, UnprocessableRequestError
from shared.security.egress import EgressPolicy

EVENTS = ("job.*", *(f"job.{status}" for status in JobStatus if status.final))


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """Where to, and which events; None are all of them."""

    url: str
    events: tuple[str, ...] | None = None

    def document(self) -> dict[str, Any]:
        """Spell it as ``jobs.webhook`` and the API have it."""
        return {"url": self.url, "events": None if self.events is None else list(self.events)}


def read_webhook(value: object, egress: EgressPolicy) -> JobWebhook | None:
    """Read a URL, or an object with ``url`` and ``events``; the URL comes in its normal form.

    Raises:
        InvalidRequestError: With ``webhook`` or a member of it as the field at fault.
    """
    match value:
        case None:
            return None
        case str():
            return JobWebhook(read_callable_url(egress, value, "webhook"))
        case dict():
            unknown = sorted(value.keys() - {"url", "events"})
            if unknown:
                param = f"webhook.{unknown[0][:80]}"
                raise InvalidRequestError(f"Unrecognized request argument: {param!r}.", param=param)
            url = required(value, "url", within="webhook.")
            expect(url, "a string", "webhook.url")
            return JobWebhook(read_callable_url(egress, url, "webhook.url"), _events(value.get("events")))
        case _:
            raise wrong_type(value, "a string or an object", "webhook")


def _events(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    expect(value, "an array", "webhook.events")
    if isinstance(value, list) and value and all(event in EVENTS for event in value):
        return tuple(dict.fromkeys(value))
    raise UnprocessableRequestError(
        f"'webhook.events' must have one or more of {', '.join(EVENTS)}.", param="webhook.events"
    )
