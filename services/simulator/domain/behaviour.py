"""How one request is answered: its pace, and the fault it meets."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    """The ``simulator`` object of a request's body; what it leaves out comes from the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(default="", max_length=200)
    """Names the calls that belong together, for ``fail_times`` and for the count of calls."""
    delay_ms: float = Field(default=0, ge=0, le=3_600_000)
    """Wait before the first byte of the answer, a faulty one too."""
    tokens: int = Field(default=32, ge=0, le=1_000_000)
    """Length of what the model ``text`` says."""
    tokens_per_s: float | None = Field(default=None, gt=0)
    """Pace of a stream; what is not streamed takes as long as a whole. None: at once."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Answer with this error instead."""
    retry_after_s: float | None = Field(default=None, ge=0)
    """The ``Retry-After`` header of that error."""
    hang: bool = False
    """Never answer; the call ends when the client gives up."""
    disconnect: bool = False
    """Break the connection instead of answering."""
    cut_after_chunks: int | None = Field(default=None, ge=0)
    """Break the connection after so many chunks with text; in the middle of what is not streamed."""
    end_without_done: bool = False
    """End the stream's body in good order, but without a finish reason and without ``[DONE]``."""
    bad_json: bool = False
    """Answer with truncated JSON; in a stream, after the first chunk with text."""
    fail_times: int | None = Field(default=None, ge=0)
    """Only the first so many calls of ``key`` meet the fault (a 500 where none is named)."""

    def over(self, default: Self) -> Self:
        """Take from ``default`` what this one does not set."""
        return default.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})

    def for_call(self, number: int) -> "Behaviour":
        """Resolve ``fail_times`` for the ``number``-th call of the key, counted from 1."""
        if self.fail_times is None:
            return self
        if number > self.fail_times:
            return Behaviour(
                key=self.key, delay_ms=self.delay_ms, tokens=self.tokens, tokens_per_s=self.tokens_per_s
            )
        return self if self.has_fault else self.model_copy(update={"status": 500})

    @property
    def has_fault(self) -> bool:
        """Whether any of the faults is named."""
        return (
            self.status is not None
            or self.cut_after_chunks is not None
            or self.hang
            or self.disconnect
            or self.end_without_done
            or self.bad_json
        )

    def seconds_for(self, tokens: int) -> float:
        """How long so many tokens take at the chosen pace."""
        return 0.0 if self.tokens_per_s is None else tokens / self.tokens_per_s
