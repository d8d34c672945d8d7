"""Deliveries: look at them, send them again, send a test."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.background import Background
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.webhook_delivery_rows import WebhookDeliveryRows
from services.ingress.api.answers import json_answer
from services.ingress.api.context import principal_of
from services.ingress.api.listing import list_answer
from services.ingress.api.small_body import read_small_body
from services.ingress.api.webhook_endpoints import endpoint_id_of
from services.ingress.domain.webhook_delivery import PREFIX
from services.ingress.domain.webhook_delivery_filter import read_delivery_page, read_redelivery
from services.ingress.settings import IngressSection
from shared.contracts.ids import parse_public_id
from shared.errors import NotFoundError
from shared.messaging.announcements import announce_webhooks


class WebhookDeliveryEndpoints:
    """What the routes of deliveries do; below an endpoint's path only its own are there."""

    def __init__(
        self, *, rows: WebhookDeliveryRows, link: BrokerLink, background: Background, settings: IngressSection
    ) -> None:
        self._rows = rows
        self._link = link
        self._background = background
        self._settings = settings

    async def list(self, request: Request) -> Response:
        """Show one page of deliveries."""
        wanted = read_delivery_page(dict(request.query_params))
        deliveries, has_more = await self._rows.page(
            principal_of(request).tenant_id, _endpoint_or_all(request), wanted
        )
        return list_answer([delivery.render() for delivery in deliveries], has_more=has_more)

    async def get(self, request: Request) -> Response:
        """Show one with its payload."""
        delivery = await self._rows.get(
            principal_of(request).tenant_id, _endpoint_or_all(request), _delivery_id(request)
        )
        return json_answer(delivery.render())

    async def test(self, request: Request) -> Response:
        """Send a test event by the way of all others."""
        delivery = await self._rows.test(principal_of(request).tenant_id, endpoint_id_of(request))
        self._announce()
        return json_answer(delivery.render(), 202)

    async def redeliver(self, request: Request) -> Response:
        """Send one again."""
        delivery = await self._rows.redeliver(
            principal_of(request).tenant_id, _endpoint_or_all(request), _delivery_id(request)
        )
        self._announce()
        return json_answer(delivery.render(), 202)

    async def redeliver_matching(self, request: Request) -> Response:
        """Send those again that a filter names."""
        endpoint_id = endpoint_id_of(request)
        conditions, limit = read_redelivery(await read_small_body(request, self._settings))
        count = await self._rows.redeliver_matching(
            principal_of(request).tenant_id, endpoint_id, conditions, limit
        )
        self._announce()
        return json_answer({"object": "webhook_redelivery", "redelivered": count}, 202)

    def _announce(self) -> None:
        self._background.run(announce_webhooks(self._link.broker), what="wake the sender of webhooks")


def _endpoint_or_all(request: Request) -> UUID | None:
    return endpoint_id_of(request) if "endpoint_id" in request.path_params else None


def _delivery_id(request: Request) -> UUID:
    try:
        return parse_public_id(PREFIX, request.path_params["delivery_id"])
    except NotFoundError:
        raise NotFoundError("There is no delivery with this id.") from None
