"""The ``Prefer`` header. Source: RFC 7240, sections 2, 4.1 and 4.3."""

from dataclasses import dataclass

from shared.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Preference:
    """What a caller prefers; unknown preferences are ignored, as the RFC says."""

    respond_async: bool = False
    wait_s: int | None = None
    """How long the caller would wait for the answer itself before it takes a 202."""

    def applied(self) -> str:
        """Spell what was honoured, for ``Preference-Applied``."""
        return "respond-async" if self.wait_s is None else f"respond-async, wait={self.wait_s}"


NO_PREFERENCE = Preference()


def read_preference(header: str | None) -> Preference:
    """Read the header; several lines are joined by commas.

    Raises:
        InvalidRequestError: ``wait`` is not a number of seconds.
    """
    if not header:
        return NO_PREFERENCE
    respond_async = False
    wait_s = None
    for part in header.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        match name.strip().lower():
            case "respond-async":
                respond_async = True
            case "wait" if wait_s is None:
                wait_s = _seconds(value.strip().strip('"'))
    return Preference(respond_async, wait_s)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidRequestError("'wait' in the Prefer header must be a number of seconds.", param="Prefer")
    return int(text)
