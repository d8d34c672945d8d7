"""The least that an HTTP server does for a request: read its body, send an answer of the usual size."""

from typing import Any

ANSWER = b'{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","choices":[]}' + b" " * 300
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())],
}
BODY = {"type": "http.response.body", "body": ANSWER}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request; no framework."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    await send(BODY)
