"""Query parameters that every list of objects takes."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

from shared.errors import NotFoundError, UnprocessableRequestError

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


def expect_known(query: Iterable[str], known: Collection[str]) -> None:
    """Refuse parameters that the route does not have: a misspelt filter would list everything.

    Raises:
        UnprocessableRequestError: With the parameter at fault.
    """
    for name in query:
        if name not in known:
            raise UnprocessableRequestError(f"Unknown query parameter: {name[:80]!r}.", param=name[:80])


def read_limit(text: str, most: int = MAX_LIMIT) -> int:
    """Read how many objects are on a page.

    Raises:
        UnprocessableRequestError: Not a number in bounds.
    """
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    raise UnprocessableRequestError(f"'limit' must be from 1 to {most}.", param="limit")


def read_after(text: str, parse_id: Callable[[str], UUID]) -> UUID:
    """Read the id after which the page begins.

    Raises:
        UnprocessableRequestError: It is no id of that kind.
    """
    try:
        return parse_id(text)
    except NotFoundError:
        raise UnprocessableRequestError("'after' must be an id of this list.", param="after") from None


def read_moment(text: str, param: str) -> datetime:
    """Read Unix seconds or ISO 8601 with an offset; years from 1970 on.

    Raises:
        UnprocessableRequestError: It is neither.
    """
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        # In a query a plus sign means a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        if moment.tzinfo is not None and moment.timestamp() >= 0:
            return moment
    except (ValueError, OverflowError, OSError):
        pass
    raise UnprocessableRequestError(
        f"'{param}' must be Unix seconds, or an ISO 8601 time with its offset.", param=param
    )
