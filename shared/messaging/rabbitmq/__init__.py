"""The broker port on RabbitMQ 3.10 or later, over the client of ``shared.messaging.amqp``."""

from shared.messaging.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
