"""Webhook endpoints and their deliveries."""

from collections.abc import Iterator
from itertools import chain

from services.ingress.adapters.idempotency_keys import IdempotencyKeys
from services.ingress.adapters.webhook_delivery_rows import WebhookDeliveryRows
from services.ingress.adapters.webhook_endpoint_rows import WebhookEndpointRows
from services.ingress.adapters.webhook_job_secret import WebhookJobSecret
from services.ingress.api.idempotency import CreateOnce
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.webhook_deliveries import webhook_delivery_routes
from services.ingress.api.routes.webhooks import webhook_endpoint_routes, webhook_secret_routes
from services.ingress.api.webhook_deliveries import WebhookDeliveryEndpoints
from services.ingress.api.webhook_endpoints import WebhookEndpoints
from services.ingress.api.webhook_job_secret import WebhookJobSecretEndpoints
from services.ingress.composition.core import Core
from shared.security.webhook_secrets import SecretBox


def webhook_routes(core: Core) -> Iterator[RawRoute]:
    """Build what tenants say about whom to tell."""
    section, box = core.settings.ingress, SecretBox(core.settings.secret_key)
    endpoints = WebhookEndpoints(
        rows=WebhookEndpointRows(core.database, box, max_endpoints=section.max_webhook_endpoints),
        once=CreateOnce(core.database, IdempotencyKeys(core.database)),
        egress=core.egress,
        settings=section,
    )
    deliveries = WebhookDeliveryEndpoints(
        rows=WebhookDeliveryRows(core.database),
        link=core.link,
        background=core.background,
        settings=section,
    )
    return chain(
        webhook_endpoint_routes(endpoints),
        webhook_secret_routes(WebhookJobSecretEndpoints(WebhookJobSecret(core.database, box), section)),
        webhook_delivery_routes(deliveries),
    )
