"""Everything random in a campaign comes from its seed."""

import random

Chance = random.Random


def chance(seed: float) -> Chance:
    """Make a source of randomness that can be repeated."""
    return random.Random(seed)  # noqa: S311 - to be repeatable, not to be unguessable
