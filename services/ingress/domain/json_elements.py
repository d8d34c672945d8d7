"""The elements of a JSON array, found without building them: a large body is read one job at a time."""

import re
from collections.abc import Iterator

from shared.errors import InvalidRequestError

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{},"]', re.DOTALL)
_BLANK = b" \t\r\n"


class ArrayElements:
    """Iterates over the elements as the bytes they are; each is still to be parsed.

    Whether brackets and commas fit is all that is checked here.

    Args:
        text: JSON.
        at: Behind the array's opening bracket.
    """

    def __init__(self, text: bytes, at: int) -> None:
        self._text = text
        self.end = at
        """After the last element: behind the closing bracket."""

    def __iter__(self) -> Iterator[bytes]:
        """Find one element after the other.

        Raises:
            InvalidRequestError: The array does not end, or a string in it.
        """
        start, depth, any_before = self.end, 0, False
        for token in _TOKEN.finditer(self._text, self.end):
            match token[0]:
                case b"[" | b"{":
                    depth += 1
                case b"," if depth == 0:
                    yield self._text[start : token.start()].strip(_BLANK)
                    start, any_before = token.end(), True
                case b"]" | b"}" if depth == 0:
                    last = self._text[start : token.start()].strip(_BLANK)
                    self.end = token.end()
                    if last or any_before:
                        yield last
                    return
                case b"]" | b"}":
                    depth -= 1
                case b'"':
                    break
        raise InvalidRequestError("The body is not valid JSON: it ends within an array or a string.")
