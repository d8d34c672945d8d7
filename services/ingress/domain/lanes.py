"""Which lane a request takes.

OpenAI's ``service_tier`` decides: ``priority`` takes the interactive lane, ``flex`` the standard one,
``batch`` the batch lane; ``auto``, ``default`` and names of other providers say nothing against the lane
of the route.
"""

from collections.abc import Mapping

from services.ingress.domain.checks import expect
from shared.contracts.jobs import Lane
from shared.errors import UnprocessableRequestError

_BY_TIER: Mapping[str, Lane] = {
    "priority": Lane.INTERACTIVE,
    "flex": Lane.STANDARD,
    "batch": Lane.BATCH,
}
_SAYS_NOTHING = ("auto", "default")


def waiting_lane(service_tier: str | None) -> Lane:
    """Choose for a caller that waits for the answer."""
    return _BY_TIER.get(service_tier or "", Lane.INTERACTIVE)


def background_lane(service_tier: str | None) -> Lane:
    """Choose for a job that nobody waits for."""
    return _BY_TIER.get(service_tier or "", Lane.STANDARD)


def lane_of_tier(service_tier: object) -> Lane | None:
    """Read a ``service_tier`` that is ours alone and reaches no provider; None where it says nothing.

    Raises:
        InvalidRequestError: It is none that we know.
    """
    expect(service_tier, "a string", "service_tier")
    lane = _BY_TIER.get(str(service_tier))
    if lane is None and service_tier not in _SAYS_NOTHING:
        known = ", ".join(repr(tier) for tier in (*_SAYS_NOTHING, *_BY_TIER))
        raise UnprocessableRequestError(f"'service_tier' must be one of {known}.", param="service_tier")
    return lane
