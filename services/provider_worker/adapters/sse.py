"""Server-sent events, as far as providers use them: the data of each event.

Source: WHATWG HTML Living Standard, "Parsing an event stream". One deviation: an event that the
stream's end cuts off from its empty line still counts, because some servers end on ``data: [DONE]``.
"""


class EventTooLargeError(ValueError):
    """An event is larger than allowed."""


class SseParser:
    """Turns bytes, cut anywhere, into the data of events.

    Args:
        max_event_bytes: Upper bound of an event, and so of what is buffered.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the data of the events that it completed.

        Raises:
            EventTooLargeError: An event grows over its bound.
        """
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._at_start and lines:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        events = []
        for line in lines:
            if not line:
                events += self._complete()
            else:
                self._take(line)
        self._check(self._size + len(self._rest))
        return events

    def finish(self) -> list[bytes]:
        """Say that the stream has ended; return the data of an event that lacks its empty line."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        return self._complete()

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1
            self._check(self._size)

    def _complete(self) -> list[bytes]:
        data, self._data, self._size = self._data, [], 0
        return [b"\n".join(data)] if data else []

    def _check(self, size: int) -> None:
        if size > self._max_event_bytes:
            raise EventTooLargeError(f"an event of more than {self._max_event_bytes} bytes")
