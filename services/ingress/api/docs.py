"""``/docs``: a page that shows ``/openapi.json``, without anything from elsewhere."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


class DocsPage:
    """One file of HTML; nothing is fetched but ``/openapi.json``, so it works on an isolated machine."""

    def __init__(self) -> None:
        self._html = files("services.ingress.api").joinpath("docs.html").read_bytes()

    async def __call__(self, _: Request) -> Response:
        """Send the page."""
        return HTMLResponse(self._html, headers={"Content-Security-Policy": _POLICY})
