"""Which lane a request takes.

OpenAI's ``service_tier`` decides: ``flex`` takes the standard lane, ``batch`` the batch lane; ``auto``,
``default``, ``priority`` and names of other providers say nothing against the lane that the route has.
"""

from shared.contracts.jobs import Lane

_BY_TIER = {"flex": Lane.STANDARD, "batch": Lane.BATCH}


def waiting_lane(service_tier: str | None) -> Lane:
    """Choose for a caller that waits for the answer."""
    return _BY_TIER.get(service_tier or "", Lane.INTERACTIVE)


def background_lane(service_tier: str | None) -> Lane:
    """Choose for a job that nobody waits for."""
    if service_tier == "priority":
        return Lane.INTERACTIVE
    return _BY_TIER.get(service_tier or "", Lane.STANDARD)
