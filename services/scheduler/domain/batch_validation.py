"""Checks a batch's input from its first line to its last, before anything of it is run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from services.scheduler.domain.batch_input import Lines
from services.scheduler.domain.batch_line import LineError, read_line
from shared.errors import ModelNotFoundError

MAX_ERRORS = 50
"""More mistakes than this help nobody."""
Error = dict[str, object]


@dataclass(slots=True, kw_only=True)
class BatchValidation:
    """How far the check of one batch has come; 100 bytes are remembered of each request.

    Args:
        endpoint: Of the batch.
        max_requests: More are refused.
        known_model: Raises ModelNotFoundError for a model that nobody serves.
    """

    endpoint: str
    max_requests: int
    known_model: Callable[[str], object]
    offset: int = 0
    requests: int = 0
    model: str | None = None
    errors: list[Error] = field(default_factory=list)
    _line: int = 0
    _seen: set[bytes] = field(default_factory=set)

    def check(self, lines: Lines) -> bool:
        """Check the next lines; returns whether the verdict is known."""
        self.offset = lines.offset
        for text in lines.texts:
            self._line += 1
            if not text.strip():
                continue
            self.requests += 1
            if self.requests > self.max_requests:
                self.refuse("too_many_tasks", f"A batch takes at most {self.max_requests} requests.")
                return True
            try:
                self._check(text)
            except LineError as error:
                self._add(error, self._line)
            if len(self.errors) >= MAX_ERRORS:
                return True
        if lines.too_long:
            self._add(LineError("invalid_json_line", "This line is too long."), self._line + 1)
            return True
        if lines.last and not self.requests:
            self.refuse("empty_file", "The input file has no requests.")
        return lines.last

    def refuse(self, code: str, message: str) -> None:
        """Add an error that is no line's."""
        self._add(LineError(code, message), None)

    def _check(self, text: bytes) -> None:
        line = read_line(text, endpoint=self.endpoint)
        digest = blake2b(line.custom_id.encode(), digest_size=16).digest()
        if digest in self._seen:
            raise LineError(
                "duplicate_custom_id",
                f"The custom_id {line.custom_id[:80]!r} for this request is a duplicate of another request. "
                "The custom_id parameter must be unique for each request in a batch.",
                "custom_id",
            )
        self._seen.add(digest)
        if self.model is None:
            self._look_up(line.model)
        elif line.model != self.model:
            raise LineError(
                "mismatched_model",
                f"The model {line.model[:80]!r} for this request does not match the rest of the batch. "
                "Each batch must contain requests for a single model.",
                "body.model",
            )

    def _look_up(self, model: str) -> None:
        if not 1 <= len(model) <= 256 or not model.isprintable():
            raise LineError("invalid_value", "'model' must be 1 to 256 printable characters.", "body.model")
        try:
            self.known_model(model)
        except ModelNotFoundError as error:
            raise LineError("model_not_found", error.message, "body.model") from error
        self.model = model

    def _add(self, error: LineError, line: int | None) -> None:
        self.errors.append({"code": error.code, "line": line, "message": error.message, "param": error.param})
