"""Reading points in time that a caller names."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from services.ingress.domain.checks import wrong_type
from shared.errors import UnprocessableRequestError

MAX_SECONDS = 100 * 366 * 86_400
"""More than anybody means, and less than what a date can hold."""


def read_moment(value: object, *, param: str, since: datetime) -> datetime:
    """Read a JSON value: ISO 8601 with an offset, or seconds since ``since``.

    Raises:
        InvalidRequestError: It is neither a string nor a number.
        UnprocessableRequestError: It is no such time.
    """
    match value:
        case bool():
            raise wrong_type(value, "a string or a number", param)
        case str():
            moment = _iso(value)
        case int() | float():
            moment = _seconds(value, since)
        case _:
            raise wrong_type(value, "a string or a number", param)
    if moment is None:
        raise UnprocessableRequestError(
            f"'{param}' must be a number of seconds, or an ISO 8601 time with its offset, "
            "e.g. '2030-01-31T12:00:00Z'.",
            param=param,
        )
    return moment


def read_header_moment(text: str, *, param: str, since: datetime) -> datetime:
    """Read a header: seconds since ``since``, an HTTP date (RFC 9110, section 5.6.7), or ISO 8601.

    Raises:
        UnprocessableRequestError: It is none of these.
    """
    text = text.strip()
    moment = _number(text, since) or _iso(text) or _http_date(text)
    if moment is None:
        raise UnprocessableRequestError(
            f"{param} must be a number of seconds, an HTTP date, or an ISO 8601 time with its offset.",
            param=param,
        )
    return moment


def _seconds(value: float, since: datetime) -> datetime | None:
    return since + timedelta(seconds=value) if 0 <= value <= MAX_SECONDS else None  # neither is NaN


def _number(text: str, since: datetime) -> datetime | None:
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and whole.isdigit() and (fraction or "0").isdigit() and len(text) <= 32):
        return None
    return _seconds(float(text), since)


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
