"""Changes a few members of a caller's JSON object and leaves every other byte as it is.

Parsing and writing again would cost time for each large prompt, and change more than what is meant: new
values are put where the old ones lie.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

from shared.json_members import members


def with_members(
    body: bytes, changes: Mapping[str, bytes], *, where_present: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """Give top-level members new values.

    Args:
        body: A JSON object.
        changes: New values, as JSON text; a member that is missing is added in front.
        where_present: The same for members that are not to be added.

    Raises:
        InvalidRequestError: The body is not an object.
    """
    pieces: list[bytes] = []
    done = 0
    missing = dict(changes)
    empty = True
    for member in members(body):
        empty = False
        value = changes.get(member.name, where_present.get(member.name))
        if value is not None:
            pieces += (body[done : member.start], value)
            done = member.end
            missing.pop(member.name, None)
    pieces.append(body[done:])
    changed = b"".join(pieces)
    if not missing:
        return changed
    added = b",".join(b"%s:%s" % (json.dumps(name).encode(), value) for name, value in missing.items())
    head, _, tail = changed.partition(b"{")
    return b"".join((head, b"{", added, b"" if empty else b",", tail))
