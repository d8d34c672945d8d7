"""Whether a stream has come to its proper end; one that breaks off is not a success."""

from typing import Any

from shared.errors import ProviderProtocolError


class StreamEnd:
    """Watches the chunks of one stream."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._choices: set[int] = set()
        self._finished: set[int] = set()

    def saw(self, chunk: dict[str, Any]) -> None:
        """Note which choices a chunk belongs to and which it finishes."""
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                index = choice.get("index")
                index = index if isinstance(index, int) else 0
                self._choices.add(index)
                if choice.get("finish_reason") is not None:
                    self._finished.add(index)

    def done(self) -> None:
        """Note the explicit end, ``[DONE]``.

        Raises:
            ProviderProtocolError: There was nothing before it.
        """
        if not self._choices:
            raise ProviderProtocolError(self._provider, f"{self._provider} sent a stream without content.")

    def check(self) -> None:
        """Note that the connection ended without ``[DONE]``.

        Raises:
            ProviderProtocolError: A choice has no ``finish_reason``, or there is none at all.
        """
        if not self._choices or self._choices != self._finished:
            raise ProviderProtocolError(self._provider, f"{self._provider} cut the stream short.")
