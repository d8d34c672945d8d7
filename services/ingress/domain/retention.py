"""How long a job's contents are kept after its end."""

from services.ingress.domain.checks import expect
from shared.errors import UnprocessableRequestError

MAX_RETENTION_S = 30 * 86_400


def read_retention(value: object) -> int | None:
    """Read the member ``retention``, whole seconds; None leaves it to the fleet.

    Raises:
        InvalidRequestError: It cannot be used.
    """
    if value is None:
        return None
    expect(value, "an integer", "retention")
    if not isinstance(value, int) or not 1 <= value <= MAX_RETENTION_S:
        raise UnprocessableRequestError(
            f"'retention' must be from 1 to {MAX_RETENTION_S} seconds.", param="retention"
        )
    return value
