"""``/v1/webhook_endpoints``: create, look, change, remove, and their secrets."""

from dataclasses import replace
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.webhook_endpoint_rows import WebhookEndpointRows
from services.ingress.api.answers import json_answer
from services.ingress.api.context import principal_of
from services.ingress.api.listing import list_answer
from services.ingress.api.small_body import read_small_body
from services.ingress.domain.query import DEFAULT_LIMIT, expect_known, read_after, read_limit
from services.ingress.domain.webhook_endpoint import PREFIX
from services.ingress.domain.webhook_endpoint_fields import (
    EndpointFields,
    read_endpoint_change,
    read_new_endpoint,
    read_overlap,
)
from services.ingress.settings import IngressSection
from shared.contracts.ids import parse_public_id, public_id
from shared.errors import NotFoundError
from shared.security.egress import EgressPolicy, UrlNotAllowedError


class WebhookEndpoints:
    """What the routes of webhook endpoints do."""

    def __init__(
        self,
        *,
        rows: WebhookEndpointRows,
        policy: EgressPolicy,
        settings: IngressSection,
    ) -> None:
        self._rows = rows
        self._policy = policy
        self._settings = settings

    async def create(self, request: Request) -> Response:
        """Make one; the only answer beside a rotation's that shows a secret."""
        fields = self._allowed(read_new_endpoint(await read_small_body(request, self._settings)))
        endpoint, secret = await self._rows.create(principal_of(request).tenant_id, fields)
        location = f"{self._settings.public_url or ''}/v1/webhook_endpoints/{public_id(PREFIX, endpoint.id)}"
        return json_answer(endpoint.render(secret=secret), 201, {"Location": location})

    async def list(self, request: Request) -> Response:
        """Show one page of endpoints."""
        query = dict(request.query_params)
        expect_known(query, {"limit", "after"})
        endpoints, has_more = await self._rows.page(
            principal_of(request).tenant_id,
            limit=read_limit(query["limit"]) if "limit" in query else DEFAULT_LIMIT,
            before=read_after(query["after"], partial(parse_public_id, PREFIX)) if "after" in query else None,
        )
        return list_answer([endpoint.render() for endpoint in endpoints], has_more=has_more)

    async def get(self, request: Request) -> Response:
        """Show one."""
        endpoint = await self._rows.get(principal_of(request).tenant_id, endpoint_id_of(request))
        return json_answer(endpoint.render())

    async def change(self, request: Request) -> Response:
        """Change what the body names."""
        endpoint_id = endpoint_id_of(request)
        fields = self._allowed(read_endpoint_change(await read_small_body(request, self._settings)))
        endpoint = await self._rows.change(principal_of(request).tenant_id, endpoint_id, fields)
        return json_answer(endpoint.render())

    async def delete(self, request: Request) -> Response:
        """Remove one."""
        endpoint_id = endpoint_id_of(request)
        await self._rows.delete(principal_of(request).tenant_id, endpoint_id)
        gone = {"id": public_id(PREFIX, endpoint_id), "object": "webhook_endpoint.deleted", "deleted": True}
        return json_answer(gone)

    async def rotate_secret(self, request: Request) -> Response:
        """Make a new secret."""
        endpoint_id = endpoint_id_of(request)
        overlap = read_overlap(await read_small_body(request, self._settings))
        endpoint, secret = await self._rows.rotate(principal_of(request).tenant_id, endpoint_id, overlap)
        return json_answer(endpoint.render(secret=secret))

    def _allowed(self, fields: EndpointFields) -> EndpointFields:
        """Check the URL's shape and literal address; what its name stands for is checked at each call."""
        if fields.url is None:
            return fields
        try:
            return replace(fields, url=self._policy.check_url(fields.url))
        except UrlNotAllowedError as error:
            error.param = "url"
            raise


def endpoint_id_of(request: Request) -> UUID:
    """Return the endpoint that the path names."""
    try:
        return parse_public_id(PREFIX, request.path_params["endpoint_id"])
    except NotFoundError:
        raise NotFoundError("There is no webhook endpoint with this id.") from None
