"""What is said between services about webhooks."""

from typing import ClassVar

from shared.contracts.base import Contract


class WebhooksDue(Contract):
    """Broadcast: there are deliveries to be made at once; webhook_delivery looks for them."""

    message_type: ClassVar[str] = "webhooks.due.v1"
