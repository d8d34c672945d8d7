"""Tables that a terminal and a program can read."""

from services.cli.tables import aligned, duration, number


def test_columns_are_as_wide_as_their_widest_text():
    assert aligned(("ID", "URL"), [("1", "a"), ("22222", "b")]) == "ID     URL\n1      a\n22222  b"
    assert aligned(("ID", ">N"), [("1", "5"), ("2", "{10}")]) == "ID     N\n1      5\n2   {10}"
    assert aligned(("ID", ">URL"), []) == "ID  URL"


def test_what_is_not_known_is_a_dash():
    assert (number(None), number(1.25, digits=1), number(3)) == ("-", "1.2", "3")
    assert [duration(seconds) for seconds in (None, 1.25, 61, 3_700, 180_000)] == [
        "-",
        "1.2s",
        "1m01s",
        "1h01m",
        "2d02h",
    ]
