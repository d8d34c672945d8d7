"""What every message is: a line of JSON fields, then the body byte for byte.

The fields are small and validated on both sides. The body (a caller's request, a provider's answer)
follows the first newline untouched, so that it is neither parsed nor re-serialised on its way.
"""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import MalformedMessageError


class Contract(BaseModel):
    """Base of every message: frozen; unknown fields are ignored, so that a newer sender may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message_type: ClassVar[str]
    """Name and version, e.g. ``job.requested.v1``; travels in the broker's ``type`` header."""

    body: Annotated[bytes, Field(exclude=True)] = b""
    """UTF-8 text, usually JSON; empty where a message has none."""

    def encode(self) -> bytes:
        """Serialise for the broker."""
        return b"%s\n%s" % (self.__pydantic_serializer__.to_json(self), self.body)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what :meth:`encode` wrote.

        Raises:
            MalformedMessageError: The bytes are not this contract.
        """
        head, _, body = data.partition(b"\n")
        try:
            message = cls.model_validate_json(head)
        except ValidationError as error:
            raise MalformedMessageError(
                f"not a {cls.message_type}: {error.error_count()} fields are wrong, "
                f"first {error.errors(include_input=False)[0]['loc']}"
            ) from error
        if body:  # as model_copy would, which copies everything else again
            message.__dict__["body"] = body
        return message
