"""Entry point: ``python -m services.webhook_delivery``."""

from services.webhook_delivery.app import running
from services.webhook_delivery.settings import WebhookDeliverySettings
from shared.runtime.service import main

if __name__ == "__main__":
    main("webhook_delivery", WebhookDeliverySettings, running)
