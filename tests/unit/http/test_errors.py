import pytest

from shared import errors
from shared.contracts.jobs import Failure
from shared.http.errors import (
    error_headers_of_failure,
    failure_of,
    openai_error,
    openai_error_of_failure,
    retry_after,
)


def test_an_error_has_the_openai_shape():
    error = errors.InvalidRequestError("messages is missing", param="messages")
    assert openai_error(error) == {
        "error": {
            "message": "messages is missing",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "invalid_request",
        }
    }


def test_a_failure_from_the_wire_renders_as_the_error_that_it_was():
    error = errors.ProviderRateLimitedError("openai", "slow down", retry_after_s=2.1)
    failure = Failure.model_validate_json(failure_of(error).model_dump_json())
    assert openai_error_of_failure(failure) == openai_error(error)
    assert (failure.http_status, failure.retry_after_s) == (429, 2.1)


def test_a_rejection_keeps_the_providers_own_status():
    error = errors.ProviderRejectedError("openai", "no such model", status=404, param="model")
    assert (failure_of(error).http_status, failure_of(error).message) == (404, "no such model")


def test_what_a_provider_says_about_our_credentials_does_not_reach_the_caller():
    error = errors.ProviderAuthenticationError("openai", "Incorrect API key: sk-abc***xyz", param="org-1")
    said = failure_of(error)
    assert said.http_status == 502
    assert "sk-" not in repr(said)
    assert "org-1" not in repr(said)


@pytest.mark.parametrize(
    ("seconds", "header"),
    [
        (0, 1),
        (-5, 1),
        (0.01, 1),
        (1, 1),
        (1.01, 2),
        (59.2, 60),
        (float("inf"), 86_400),
        (float("nan"), 86_400),
    ],
)
def test_a_wait_is_rounded_up_to_whole_seconds(seconds, header):
    assert retry_after(seconds) == header


def test_retry_after_is_sent_only_where_waiting_helps():
    assert error_headers_of_failure(failure_of(errors.BrokerUnavailableError("away", retry_after_s=0.2))) == {
        "Retry-After": "1"
    }
    assert error_headers_of_failure(failure_of(errors.NotFoundError("no"))) == {}


def test_an_unauthenticated_caller_is_told_how():
    assert error_headers_of_failure(failure_of(errors.AuthenticationError("no key"))) == {
        "WWW-Authenticate": "Bearer"
    }


def _all_errors(root=errors.PenstockError):
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _all_errors(child)


@pytest.mark.parametrize("kind", list(_all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_renders(kind):
    arguments = ("openai",) if issubclass(kind, errors.ProviderError) else ()
    more = {"status": 418} if kind is errors.ProviderRejectedError else {}
    body = openai_error(kind(*arguments, "what happened", **more))["error"]
    assert body["code"] == kind.code
    assert 400 <= failure_of(kind(*arguments, "what happened", **more)).http_status < 600


def test_half_a_character_in_a_providers_words_does_not_keep_them_from_the_wire():
    error = errors.ProviderRejectedError("openai", "cut here: \ud83d", status=400, param="\udc00")
    said = Failure.model_validate_json(failure_of(error).model_dump_json())
    assert (said.message, said.param) == ("cut here: ?", "?")
