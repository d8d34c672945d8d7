"""What can go wrong between this client and a broker."""

SUCCESS = 200
"""Reply code: an orderly end."""
NOT_FOUND = 404
"""Reply code: what was named does not exist."""


class AmqpError(Exception):
    """Root of the failures of this package."""


class MalformedFrameError(AmqpError):
    """The peer sent what is no AMQP 0-9-1, or what has no place here; the connection is given up."""


class ConnectionLostError(AmqpError):
    """The connection is gone: it broke, was closed by either side, or was silent for too long."""


class ChannelClosedError(AmqpError):
    """The channel is closed: by the broker, which says why, or by this side."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        """Reply code of AMQP, e.g. 404; 200 after an orderly end."""


class UnroutableError(AmqpError):
    """A mandatory message was returned: no queue took it."""


class NotConfirmedError(AmqpError):
    """The broker refused to confirm a message, or did not answer in time: it may be queued or not."""
