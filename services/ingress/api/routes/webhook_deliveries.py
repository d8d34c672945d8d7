"""The routes of deliveries: of one endpoint, and all of the tenant's."""

from collections.abc import Iterator

from services.ingress.api.route import RawRoute, route
from services.ingress.api.routes.webhooks import ENDPOINT_ID, PAGE
from services.ingress.api.schemas import webhooks as shapes
from services.ingress.api.webhook_deliveries import WebhookDeliveryEndpoints
from services.ingress.domain.webhook_delivery_filter import STATUSES

_TAG = "Webhooks"
_ENDPOINT = "/v1/webhook_endpoints/{endpoint_id}"
_DELIVERY_ID = {
    "name": "delivery_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "whd_0198c1f2a5b47c3d8e9f001122334455",
}


def webhook_delivery_routes(endpoints: WebhookDeliveryEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of deliveries."""
    yield route(
        "POST",
        f"{_ENDPOINT}/test",
        endpoints.test,
        summary="Send a test event to a webhook endpoint",
        description="A `webhook_endpoint.test`, whatever the endpoint's filter, on the way of all others.",
        tag=_TAG,
        status=202,
        answer=shapes.WebhookDeliveryObject,
        parameters=(ENDPOINT_ID,),
        errors=(401, 404, 409, 503),
    )
    yield route(
        "POST",
        f"{_ENDPOINT}/redeliver",
        endpoints.redeliver_matching,
        summary="Send deliveries of a webhook endpoint again",
        description="Those that failed, or what the body names. Each keeps its `webhook-id`.",
        tag=_TAG,
        status=202,
        answer=shapes.RedeliveryCount,
        takes=shapes.Redelivery,
        body_required=False,
        parameters=(ENDPOINT_ID,),
        errors=(400, 401, 404, 409, 413, 422, 503),
    )
    of_one = f"{_ENDPOINT}/deliveries"
    yield from _look(endpoints, of_one, "of a webhook endpoint", (ENDPOINT_ID,))
    yield from _look(endpoints, "/v1/webhook_deliveries", "of every webhook", ())


def _look(
    endpoints: WebhookDeliveryEndpoints, path: str, whose: str, parameters: tuple[dict[str, object], ...]
) -> Iterator[RawRoute]:
    yield route(
        "GET",
        path,
        endpoints.list,
        summary=f"List deliveries {whose}, newest first",
        tag=_TAG,
        answer=shapes.WebhookDeliveryList,
        parameters=(*parameters, *PAGE, *_filters()),
        errors=(401, 404, 422, 503),
    )
    yield route(
        "GET",
        f"{path}/{{delivery_id}}",
        endpoints.get,
        summary=f"Show a delivery {whose}",
        tag=_TAG,
        answer=shapes.WebhookDeliveryObject,
        parameters=(*parameters, _DELIVERY_ID),
        errors=(401, 404, 503),
    )
    yield route(
        "POST",
        f"{path}/{{delivery_id}}/redeliver",
        endpoints.redeliver,
        summary=f"Send a delivery {whose} again",
        description="With the same `webhook-id`, so that the receiver knows it; with retries of its own.",
        tag=_TAG,
        status=202,
        answer=shapes.WebhookDeliveryObject,
        parameters=(*parameters, _DELIVERY_ID),
        errors=(401, 404, 409, 503),
    )


def _filters() -> Iterator[dict[str, object]]:
    text = {"type": "string"}
    for name, description, schema in (
        ("status", "Where the delivery stands.", {"type": "string", "enum": list(STATUSES)}),
        ("type", "Type of the event.", text),
        ("created_after", "Unix seconds or ISO 8601; this moment included.", text),
        ("created_before", "Unix seconds or ISO 8601; this moment excluded.", text),
    ):
        yield {"name": name, "in": "query", "description": description, "schema": schema}
