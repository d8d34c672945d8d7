"""Times as the API spells them."""

from datetime import datetime


def seconds(moment: datetime | None) -> int | None:
    """Spell a time in whole Unix seconds, as the OpenAI API does."""
    return None if moment is None else int(moment.timestamp())
