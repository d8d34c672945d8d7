"""What ``POST /v1/files`` takes beside the file itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingress.domain.checks import storable
from shared.contracts.batches import FilePurpose
from shared.errors import InvalidRequestError, UnprocessableRequestError

SHORTEST_S = 3600
LONGEST_S = 2_592_000
MAX_NAME = 255
_UPLOADED = tuple(purpose for purpose in FilePurpose if purpose is not FilePurpose.BATCH_OUTPUT)
_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """The fields, checked."""

    purpose: FilePurpose
    expires_s: int | None
    """After the creation; None where the caller does not say."""

    def expires_at(self, created_at: datetime, *, batch_expires_s: float) -> datetime | None:
        """Say when the file goes: by default a batch's input does, everything else stays."""
        seconds: float | None = self.expires_s
        if seconds is None and self.purpose is FilePurpose.BATCH:
            seconds = batch_expires_s
        return None if seconds is None else created_at + timedelta(seconds=seconds)


def read_file_form(fields: Mapping[str, str]) -> FileForm:
    """Check the fields.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    for name in fields:
        if name not in _FIELDS:
            raise InvalidRequestError(f"Unrecognized request argument: {name[:80]!r}.", param=name[:80])
    if "purpose" not in fields:
        raise InvalidRequestError("Missing required parameter: 'purpose'.", param="purpose")
    try:
        purpose = FilePurpose(fields["purpose"])
    except ValueError:
        purpose = FilePurpose.BATCH_OUTPUT
    if purpose not in _UPLOADED:
        allowed = ", ".join(repr(one.value) for one in _UPLOADED)
        raise UnprocessableRequestError(f"'purpose' must be one of {allowed}.", param="purpose")
    return FileForm(purpose=purpose, expires_s=_expires(fields))


def expiry_seconds(anchor: object, seconds: object, param: str) -> int:
    """Check an expiry policy, as files and batches take it.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    if anchor != "created_at":
        raise UnprocessableRequestError(f"'{param}.anchor' must be 'created_at'.", param=f"{param}.anchor")
    if type(seconds) is not int or not SHORTEST_S <= seconds <= LONGEST_S:
        raise UnprocessableRequestError(
            f"'{param}.seconds' must be from {SHORTEST_S} to {LONGEST_S}.", param=f"{param}.seconds"
        )
    return seconds


def _expires(fields: Mapping[str, str]) -> int | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    number = int(seconds) if seconds is not None and seconds.isascii() and seconds.isdigit() else None
    return expiry_seconds(anchor, number, "expires_after")


def file_name(text: str | None) -> str:
    """Take the name that the caller gave the file, without its folders.

    Raises:
        InvalidRequestError: It cannot be one.
    """
    name = storable((text or "file").replace("\\", "/").rpartition("/")[2], "file")
    if not 1 <= len(name) <= MAX_NAME:
        raise UnprocessableRequestError(
            f"The file's name must have 1 to {MAX_NAME} characters.", param="file"
        )
    return name
