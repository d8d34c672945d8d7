"""The broker port on RabbitMQ 3.10 or later, over aiormq (the protocol layer of aio-pika).

aio-pika's own layer is left out: its robust channels create tasks and copies for each message, and its
reconnecting does not re-open what this package needs (see ``link.py``).
"""

from shared.messaging.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
