"""The one failure that nobody hears of."""

from shared.errors import PenstockError


class ClientGoneError(PenstockError):
    """The caller closed its connection before it had its answer."""

    code = "client_gone"
    kind = "invalid_request_error"
    http_status = 499
