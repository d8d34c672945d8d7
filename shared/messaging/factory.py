"""Chooses the broker's implementation by the scheme of its URL; imports only the one that is used."""

from shared.config.settings import BrokerSettings
from shared.messaging.broker import Broker
from shared.messaging.topology import FLEET, Topology


def make_broker(settings: BrokerSettings, *, name: str, topology: Topology = FLEET) -> Broker:
    """Build the broker that ``settings.url`` names.

    Args:
        settings: Its ``url`` begins with ``amqp://``, ``amqps://`` or ``postgresql://``.
        name: Shown to the broker as the connection's name, e.g. ``ingress-4711``.
        topology: The queues to declare.
    """
    url = settings.url.get_secret_value()
    if url.startswith(("amqp://", "amqps://")):
        from shared.messaging.rabbitmq import RabbitBroker  # noqa: PLC0415 - loaded only where used

        return RabbitBroker(settings, name=name, topology=topology)
    from shared.messaging.postgres import PostgresBroker  # noqa: PLC0415 - the same

    return PostgresBroker(settings, name=name, topology=topology)
