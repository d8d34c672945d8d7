"""``/api/v1/admin/queues/{queue}/dead-letters``: list, replay, discard."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.dead_letter_desk import DeadLetterDesk
from services.ingress.api.answers import managed_answer
from services.ingress.api.audit import audited
from services.ingress.api.queues import queue_of
from services.ingress.api.schemas.queues import DeadLetterSelection
from services.ingress.api.shaped import read_shape
from services.ingress.domain.dead_letter_view import EXCERPT, LONGEST_EXCERPT, render_dead_letter
from shared.errors import UnprocessableRequestError
from shared.http.management import Page
from shared.messaging.dead_letters import EVERY_DEAD_LETTER, DeadLetterChoice

_SHOWN = 100
"""Most letters that stay which an answer describes."""
_FURTHEST_PAGE = 1000


class DeadLetterEndpoints:
    """What the routes of dead letters do."""

    def __init__(self, desk: DeadLetterDesk, *, body_timeout_s: float) -> None:
        self._desk = desk
        self._body_timeout_s = body_timeout_s

    async def list(self, request: Request) -> Response:
        """Show one page, the oldest first."""
        queue, query = queue_of(request), request.query_params
        number = _integer(query, "page", 1, lowest=1, highest=_FURTHEST_PAGE)
        per_page = _integer(query, "per_page", 20, lowest=1, highest=100)
        excerpt = _integer(query, "excerpt", EXCERPT, lowest=0, highest=LONGEST_EXCERPT)
        choice = _choice(reason=query.get("reason"), older_than_s=_seconds(query, "older_than_s"))
        page = Page(number, per_page, None)
        letters, dead = await self._desk.page(queue, choice, limit=per_page, offset=page.offset)
        now = datetime.now(UTC)
        return managed_answer(
            [render_dead_letter(letter, now=now, excerpt=excerpt) for letter in letters],
            f"{dead} dead letters in all.",
            Page(number, per_page, dead if choice == EVERY_DEAD_LETTER else None),
        )

    async def replay(self, request: Request) -> Response:
        """Put some back on their queue."""
        queue = queue_of(request)
        with audited(request, "dead_letters.replay", queue.name) as facts:
            choice = await self._selected(request)
            done = await self._desk.replay(queue, choice)
            facts.update(replayed=done.count, staying=len(done.staying))
        return managed_answer(
            {
                "replayed": done.count,
                "staying": [letter.render() for letter in done.staying[:_SHOWN]],
                "staying_count": len(done.staying),
                "more": done.more,
            },
            f"{done.count} put back on {queue.name}; {len(done.staying)} stay.",
        )

    async def discard(self, request: Request) -> Response:
        """Delete some for good."""
        queue = queue_of(request)
        with audited(request, "dead_letters.discard", queue.name) as facts:
            choice = await self._selected(request)
            count, more = await self._desk.discard(queue, choice)
            facts.update(discarded=count)
        return managed_answer({"discarded": count, "more": more}, f"{count} deleted.")

    async def _selected(self, request: Request) -> DeadLetterChoice:
        selection = await read_shape(request, DeadLetterSelection, timeout_s=self._body_timeout_s)
        return _choice(
            ids=None if selection.ids is None else frozenset(selection.ids),
            reason=selection.reason,
            older_than_s=selection.older_than_s,
        )


def _choice(
    *, ids: frozenset[str] | None = None, reason: str | None, older_than_s: float | None
) -> DeadLetterChoice:
    before = None if older_than_s is None else datetime.now(UTC) - timedelta(seconds=older_than_s)
    return DeadLetterChoice(ids=ids, reason=reason or None, died_before=before)


def _integer(query: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and lowest <= int(text) <= highest):
        raise UnprocessableRequestError(
            f"{name!r} must be an integer from {lowest} to {highest}.", param=name
        )
    return int(text)


def _seconds(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise UnprocessableRequestError(f"{name!r} must be a number of seconds from 0.", param=name)
    return seconds
