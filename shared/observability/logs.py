"""Structured logs on standard error: JSON lines, or a readable form on a terminal.

Everything goes the same way, what libraries say through ``logging`` included. Whoever has an id at hand
binds it once (``structlog.contextvars.bound_contextvars(job_id=...)``) and every line below carries it.
Bodies never get here: nobody logs them, what is named like one or like a secret is masked, libraries
are never more talkative than ``info``, and tracebacks come without local variables.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.config.settings import LogSettings
from shared.observability.tracing import current_trace_id
from shared.security.masking import MASK, mask_text

_SECRET_NAMES = frozenset(
    ("authorization", "cookie", "set_cookie", "password", "passwd", "pepper", "secret", "token")
)
_BODY_NAMES = frozenset(("body", "content", "messages", "prompt"))
_SECRET_ENDINGS = (
    *("api_key", "apikey", "secret_key", "private_key", "credentials"),
    *(f"_{name}" for name in _SECRET_NAMES),
)
_DEEPEST = 6
_FIRST = ("timestamp", "level", "service", "event")
_QUIET_LIBRARIES = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai")
"""They log requests at ``info``."""


def configure_logs(settings: LogSettings, service: str) -> None:
    """Send the logs of this process to standard error from now on; once, at the start.

    Args:
        settings: Level and format.
        service: Its name, on every line.
    """
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    readable = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace_id,
        structlog.processors.add_log_level,
        name_service,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    if readable:
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=plain))
    else:
        processors.append(render_json)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.WriteLoggerFactory(sys.stderr)
            if readable
            else structlog.BytesLoggerFactory(sys.stderr.buffer)
        ),
        cache_logger_on_first_use=True,
    )
    _bridge_libraries(max(level, logging.INFO))
    sys.excepthook = _log_crash


def add_trace_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the trace that the line belongs to."""
    trace_id = current_trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    return event


def mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Hide values by the names of their keys, and credentials inside texts."""
    return _masked_members(event, 0)


def render_json(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    """Make one line of JSON that begins with what a reader looks for first."""
    first = {name: event.pop(name) for name in _FIRST if name in event}
    line = {**first, **event}
    try:
        return orjson.dumps(line, default=_described)
    except orjson.JSONEncodeError:  # a huge integer, half a surrogate pair: the slow way knows them
        return json.dumps(line, default=_described).encode()


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return _masked_members(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(item, depth + 1) for item in value]
    return value


def _masked_members(members: Mapping[Any, Any], depth: int) -> MutableMapping[str, Any]:
    return {
        str(name): MASK if _names_secret(name) else _masked(value, depth + 1)
        for name, value in members.items()
    }


def _names_secret(name: Any) -> bool:
    plain = str(name).lower().replace("-", "_")
    named = plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS)
    return named or plain in _BODY_NAMES


def _described(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    return mask_text(str(value))


class _Bridge(logging.Handler):
    """Hands what libraries log to structlog."""

    def __init__(self) -> None:
        super().__init__()
        self._log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on; a record that cannot be formatted is reported as ``logging`` does."""
        try:
            self._log.log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None
            )
        except Exception:  # noqa: BLE001 - whatever a library put into its record, logging goes on
            self.handleError(record)


def _bridge_libraries(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    said = f"{kind.__name__}: {error}"
    structlog.get_logger().critical("crashed", error=said, exc_info=(kind, error, traceback))
