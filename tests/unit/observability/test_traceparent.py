import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.observability.traceparent import TraceParent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _hex(digits):
    return st.text("0123456789abcdef", min_size=digits, max_size=digits).filter(lambda text: text.strip("0"))


@given(_hex(32), _hex(16), st.booleans())
def test_what_is_spelt_is_read_again(trace_id, span_id, sampled):
    parent = TraceParent(trace_id, span_id, sampled)
    assert TraceParent.parse(str(parent)) == parent


@given(st.text() | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*\Z"))
def test_whatever_is_read_is_valid(header):
    parent = TraceParent.parse(header)
    if parent is not None:
        assert TraceParent.parse(str(parent)) == parent
        assert parent.trace_id.strip("0")
        assert parent.span_id.strip("0")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"01-{TRACE}-{SPAN}-01-{'x' * 1000}",
    ],
)
def test_what_the_standard_does_not_allow_is_no_parent(header):
    assert TraceParent.parse(header) is None


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f" 00-{TRACE}-{SPAN}-03 ", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_versions_and_flags_are_read_as_the_standard_wants(header, sampled):
    assert TraceParent.parse(header) == TraceParent(TRACE, SPAN, sampled)


def test_a_new_trace_is_valid_and_like_no_other():
    made = {str(TraceParent.make()) for _ in range(100)}
    assert len(made) == 100
    assert all(TraceParent.parse(header) for header in made)
