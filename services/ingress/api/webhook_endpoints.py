"""``/v1/webhook_endpoints``: create, look, change, remove, and their secrets."""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.webhook_endpoint_rows import WebhookEndpointRows
from services.ingress.api.answers import json_answer
from services.ingress.api.context import principal_of
from services.ingress.api.idempotency import Created, CreateOnce
from services.ingress.api.listing import list_answer
from services.ingress.api.small_body import read_small_body
from services.ingress.domain.callable_url import read_callable_url
from services.ingress.domain.query import DEFAULT_LIMIT, expect_known, read_after, read_limit
from services.ingress.domain.webhook_endpoint import PREFIX
from services.ingress.domain.webhook_endpoint_fields import (
    EndpointFields,
    read_endpoint_change,
    read_new_endpoint,
    read_overlap,
)
from services.ingress.settings import IngressSection
from shared.contracts.ids import new_id, parse_public_id, public_id
from shared.errors import NotFoundError
from shared.security.egress import EgressPolicy
from shared.storage.postgres import Connection


class WebhookEndpoints:
    """What the routes of webhook endpoints do."""

    def __init__(
        self,
        *,
        rows: WebhookEndpointRows,
        once: CreateOnce,
        egress: EgressPolicy,
        settings: IngressSection,
    ) -> None:
        self._rows = rows
        self._once = once
        self._egress = egress
        self._settings = settings

    async def create(self, request: Request) -> Response:
        """Make one, once for each idempotency key; only this answer and a rotation's show a secret."""
        body = await read_small_body(request, self._settings)
        endpoint_id = new_id()

        async def insert(connection: Connection) -> Created:
            fields = self._allowed(read_new_endpoint(body))
            tenant_id = principal_of(request).tenant_id
            endpoint, secret = await self._rows.insert(connection, tenant_id, endpoint_id, fields)
            return Created(answer=endpoint.render(secret=secret), status=201)

        return await self._once(
            request, body, endpoint_id, insert, recall=self._created, location=self._location
        )

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

    async def _created(self, tenant_id: UUID, endpoint_id: UUID) -> dict[str, Any]:
        endpoint, secret = await self._rows.created(tenant_id, endpoint_id)
        return {**endpoint.render(), "secret": secret}

    def _location(self, endpoint_id: UUID) -> str:
        return f"{self._settings.public_url or ''}/v1/webhook_endpoints/{public_id(PREFIX, endpoint_id)}"

    def _allowed(self, fields: EndpointFields) -> EndpointFields:
        if fields.url is None:
            return fields
        return replace(fields, url=read_callable_url(self._egress, fields.url, "url"))


def endpoint_id_of(request: Request) -> UUID:
    """Return the endpoint that the path names."""
    try:
        return parse_public_id(PREFIX, request.path_params["endpoint_id"])
    except NotFoundError:
        raise NotFoundError("There is no webhook endpoint with this id.") from None
