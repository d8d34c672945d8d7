"""Webhook delivery: tells callers' servers what happened.

Consumes the rows of ``webhook_queue`` that are due, which it claims by itself; the broadcasts "jobs changed"
and "webhooks due" make it look at once. Sends signed requests through the egress guard, records what became
of them, plans retries, disables endpoints that are gone. Any number may run. It owns ``webhook_queue`` and
``webhook_deliveries``; ``shared.storage.webhook_planning`` is how the other services fill them.
"""
