"""What is wrong with a batch's input as a whole."""

import json

from services.scheduler.domain.batch_input import Lines
from services.scheduler.domain.batch_validation import MAX_ERRORS, BatchValidation
from shared.errors import ModelNotFoundError

URL = "/v1/embeddings"


def known(model: str) -> None:
    if model == "unknown":
        raise ModelNotFoundError(f"The model {model!r} does not exist.")


def validation(max_requests: int = 1000) -> BatchValidation:
    return BatchValidation(endpoint=URL, max_requests=max_requests, known_model=known)


def request(custom_id: str, model: str = "m") -> bytes:
    return json.dumps(
        {"custom_id": custom_id, "method": "POST", "url": URL, "body": {"model": model}}
    ).encode()


def lines(*texts: bytes, last: bool = True, too_long: bool = False) -> Lines:
    return Lines(list(texts), sum(len(text) + 1 for text in texts), last=last, too_long=too_long)


def codes(checked: BatchValidation) -> list[tuple[object, object]]:
    return [(error["line"], error["code"]) for error in checked.errors]


def test_a_good_input_is_counted_over_several_looks_and_empty_lines_are_not() -> None:
    checked = validation()
    assert not checked.check(lines(request("a"), b"", last=False))
    assert checked.check(lines(b" \r", request("b")))
    assert (checked.requests, checked.model, checked.errors) == (2, "m", [])


def test_errors_name_the_line_of_the_file() -> None:
    checked = validation()
    checked.check(lines(request("a"), b"", b"{", last=False))
    checked.check(lines(request("a"), request("b", "other")))
    assert codes(checked) == [(3, "invalid_json_line"), (4, "duplicate_custom_id"), (5, "mismatched_model")]


def test_a_model_that_nobody_serves_is_told() -> None:
    checked = validation()
    checked.check(lines(request("a", "unknown"), request("b", "a\nb")))
    assert codes(checked) == [(1, "model_not_found"), (2, "invalid_value")]


def test_an_input_without_requests_or_with_too_many_is_refused() -> None:
    empty, many = validation(), validation(max_requests=2)
    assert empty.check(lines(b""))
    assert codes(empty) == [(None, "empty_file")]
    assert many.check(lines(request("a"), request("b"), request("c"), last=False))
    assert codes(many) == [(None, "too_many_tasks")]


def test_the_check_stops_when_more_errors_help_nobody() -> None:
    checked = validation()
    assert checked.check(lines(*[b"{"] * 1000, last=False))
    assert len(checked.errors) == MAX_ERRORS


def test_a_line_that_is_too_long_ends_the_check() -> None:
    checked = validation()
    assert checked.check(lines(request("a"), last=False, too_long=True))
    assert codes(checked) == [(2, "invalid_json_line")]
