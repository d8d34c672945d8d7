"""The one hierarchy of failures raised on purpose; each class carries its policy.

``code`` is stable and machine-readable, ``http_status`` is what a caller gets, ``retryable`` tells a
consumer whether trying again later can help. One renderer in ``shared.http.errors`` turns them into
answers; one function in ``shared.messaging.settlement`` turns them into settlements.
"""

from typing import ClassVar


class PenstockError(Exception):
    """Root of failures raised on purpose; anything else is a bug."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[str] = "server_error"
    """The ``type`` of the OpenAI error shape."""
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """The field at fault, as a dotted path into the request body."""
        self.retry_after_s = retry_after_s
        """Seconds after which trying again is worthwhile; None says nothing about it."""


# --- the caller's mistakes ----------------------------------------------------------------------


class InvalidRequestError(PenstockError):
    """The request does not have the shape that the route documents."""

    code = "invalid_request"
    kind = "invalid_request_error"
    http_status = 400


class UnprocessableRequestError(InvalidRequestError):
    """The shape is right and a value in it cannot be used."""

    code = "invalid_value"
    http_status = 422


class AuthenticationError(InvalidRequestError):
    """No API key, or one that is unknown or revoked."""

    code = "invalid_api_key"
    http_status = 401


class OperatorRequiredError(InvalidRequestError):
    """The key is its tenant's, and this concerns the fleet that all tenants share."""

    code = "operator_required"
    http_status = 403


class NotFoundError(InvalidRequestError):
    """The object does not exist, or belongs to another tenant."""

    code = "not_found"
    http_status = 404


class ModelNotFoundError(NotFoundError):
    """No provider serves the model, and no alias has its name."""

    code = "model_not_found"


class MethodNotAllowedError(InvalidRequestError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    http_status = 405


class ConflictError(InvalidRequestError):
    """The object is in a state that does not allow this."""

    code = "conflict"
    http_status = 409


class PayloadTooLargeError(InvalidRequestError):
    """The body is over the configured size."""

    code = "payload_too_large"
    http_status = 413


# --- what happens to a job ----------------------------------------------------------------------


class DeadlineExceededError(PenstockError):
    """The deadline passed before there was an answer."""

    code = "deadline_exceeded"
    kind = "timeout_error"
    http_status = 504


class JobCancelledError(PenstockError):
    """The caller cancelled, or closed its connection."""

    code = "cancelled"
    kind = "invalid_request_error"
    http_status = 409


class QueueFullError(PenstockError):
    """More waits in the queue already than the workers do in time; nothing was accepted."""

    code = "queue_full"
    kind = "rate_limit_error"
    http_status = 429
    retryable = True


# --- dependencies -------------------------------------------------------------------------------


class DependencyUnavailableError(PenstockError):
    """A server that this request needs does not answer; it is tried again by itself."""

    code = "service_unavailable"
    http_status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class BrokerUnavailableError(DependencyUnavailableError):
    """The broker cannot be reached; nothing was published."""

    code = "broker_unavailable"


class DatabaseUnavailableError(DependencyUnavailableError):
    """PostgreSQL cannot be reached; nothing was committed that was not confirmed before."""

    code = "database_unavailable"


class ObjectStoreUnavailableError(DependencyUnavailableError):
    """The store of large bodies cannot be reached."""

    code = "object_store_unavailable"


class PublishOutcomeUnknownError(DependencyUnavailableError):
    """The broker did not confirm in time: the message may or may not be queued."""

    code = "publish_outcome_unknown"


class UnroutableMessageError(PenstockError):
    """No queue is bound to the topic; nothing was queued."""

    code = "unroutable"


class LeaseLostError(PenstockError):
    """The delivery went back to the queue before it was settled; somebody else has it now."""

    code = "lease_lost"


class MalformedMessageError(PenstockError):
    """A message on the broker does not decode as its contract."""

    code = "malformed_message"


# --- providers ----------------------------------------------------------------------------------


class ProviderError(PenstockError):
    """The provider did not give a usable answer."""

    code = "provider_error"
    kind = "provider_error"
    http_status = 502

    def __init__(
        self,
        provider: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.provider = provider


class ProviderRateLimitedError(ProviderError):
    """The provider answered 429."""

    code = "provider_rate_limited"
    kind = "rate_limit_error"
    http_status = 429
    retryable = True


class ProviderUnavailableError(ProviderError):
    """The provider refused the connection, broke it, or answered 5xx."""

    code = "provider_unavailable"
    retryable = True


class ProviderTimeoutError(ProviderError):
    """The provider was silent for longer than the route allows."""

    code = "provider_timeout"
    kind = "timeout_error"
    http_status = 504
    retryable = True


class ProviderProtocolError(ProviderError):
    """The provider answered something that its protocol does not allow, or cut a stream short."""

    code = "provider_protocol_error"
    retryable = True


class ProviderAuthenticationError(ProviderError):
    """The provider refused our credentials: the operator's mistake, never shown as the caller's."""

    code = "provider_authentication_failed"


class ProviderRejectedError(ProviderError):
    """The provider refused the request itself (4xx); its status and message reach the caller."""

    code = "provider_rejected"
    kind = "invalid_request_error"
    http_status = 400

    def __init__(self, provider: str, message: str, *, status: int, param: str | None = None) -> None:
        super().__init__(provider, message, param=param)
        self.status = status
        """The provider's own HTTP status, 400 to 499."""
