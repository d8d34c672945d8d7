"""The ``webhook`` of a submission: whom to tell of the job's end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.ingress.domain.checks import expect, required, wrong_type
from shared.contracts.jobs import JobStatus
from shared.errors import InvalidRequestError, UnprocessableRequestError

EVENTS = ("job.*", *(f"job.{status}" for status in JobStatus if status.final))


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """Where to, and which events; None are all of them."""

    url: str
    events: tuple[str, ...] | None = None

    def document(self) -> dict[str, Any]:
        """Spell it as ``jobs.webhook`` and the API have it."""
        return {"url": self.url, "events": None if self.events is None else list(self.events)}


def read_webhook(value: object, callable_url: Callable[[str], str]) -> JobWebhook | None:
    """Read a URL, or an object with ``url`` and ``events``.

    Args:
        value: Of the submission's field.
        callable_url: Returns a URL in its normal form, and raises UrlNotAllowedError if it may not be called
            as far as can be told without resolving it; the rest is checked at each call.

    Raises:
        InvalidRequestError: With ``webhook`` or a member of it as the field at fault.
    """
    match value:
        case None:
            return None
        case str():
            return JobWebhook(_url(value, callable_url, "webhook"))
        case dict():
            unknown = sorted(value.keys() - {"url", "events"})
            if unknown:
                param = f"webhook.{unknown[0][:80]}"
                raise InvalidRequestError(f"Unrecognized request argument: {param!r}.", param=param)
            url = required(value, "url", within="webhook.")
            expect(url, "a string", "webhook.url")
            return JobWebhook(_url(str(url), callable_url, "webhook.url"), _events(value.get("events")))
        case _:
            raise wrong_type(value, "a string or an object", "webhook")


def _url(text: str, callable_url: Callable[[str], str], param: str) -> str:
    try:
        return callable_url(text)
    except InvalidRequestError as error:
        error.param = param
        raise


def _events(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    expect(value, "an array", "webhook.events")
    if isinstance(value, list) and value and all(event in EVENTS for event in value):
        return tuple(dict.fromkeys(value))
    raise UnprocessableRequestError(
        f"'webhook.events' must have one or more of {', '.join(EVENTS)}.", param="webhook.events"
    )
