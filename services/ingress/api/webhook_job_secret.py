"""``/v1/webhook_secret``: what signs deliveries to the URLs that single jobs name."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.webhook_job_secret import WebhookJobSecret
from services.ingress.api.answers import json_answer
from services.ingress.api.context import principal_of
from services.ingress.api.small_body import read_small_body
from services.ingress.domain.webhook_endpoint_fields import read_overlap
from services.ingress.settings import IngressSection


class WebhookJobSecretEndpoints:
    """What the routes of this secret do."""

    def __init__(self, secret: WebhookJobSecret, settings: IngressSection) -> None:
        self._secret = secret
        self._settings = settings

    async def get(self, request: Request) -> Response:
        """Say since when there is one, never which."""
        states = await self._secret.states(principal_of(request).tenant_id)
        return json_answer(_object([state.render() for state in states]))

    async def rotate(self, request: Request) -> Response:
        """Make a new one, the first included; the only answer that shows it."""
        overlap = read_overlap(await read_small_body(request, self._settings))
        states, secret = await self._secret.rotate(principal_of(request).tenant_id, overlap)
        return json_answer({**_object([state.render() for state in states]), "secret": secret})


def _object(secrets: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "webhook_secret", "secrets": secrets}
