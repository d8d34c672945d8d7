import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.loader import effective
from shared.config.settings import ServiceSettings
from shared.security.masking import MASK, mask_text, mask_url


def rows(machine):
    found = effective(ServiceSettings, "worker", environment=machine.environment)
    return {row.path: (row.value, row.source) for row in found}


def test_every_setting_is_listed_with_its_value_and_source(machine):
    machine.yaml("penstock.yaml", {"models": {"fast": {"targets": ["openai/a", "groq/b"]}}})
    machine.environment["OPENAI_API_KEY"] = "sk-usual"
    shown = rows(machine)

    assert shown["redis.url"] == ("redis://redis", "environment PENSTOCK_REDIS__URL")
    assert shown["models.fast.targets"] == ("openai/a, groq/b", "penstock.yaml")
    assert shown["providers.openai.base_url"] == ("https://api.openai.com/v1", "default of openai")
    assert shown["providers.openai.api_key"] == (MASK, "environment OPENAI_API_KEY")
    assert shown["log.level"] == ("info", "default")
    assert shown["mongo"] == ("none", "default")
    assert {"environment", "admin.port", "telemetry.sample_ratio"} <= shown.keys()


def test_nothing_of_a_secret_is_shown(machine):
    machine.environment["GROQ_API_KEY"] = "gsk_canary"
    machine.environment["PENSTOCK_PROVIDERS__MINE__BASE_URL"] = "http://user:canary@mine/v1"
    text = repr(rows(machine))
    for secret in ("rabbit-pass", "pg-pass", "canary", "0123456789abcdef"):
        assert secret not in text
    assert rows(machine)["broker.url"][0] == f"amqp://guest:{MASK}@broker/"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://u:p@h:5672/v", f"amqp://u:{MASK}@h:5672/v"),
        ("redis://:p@h/0", f"redis://:{MASK}@h/0"),
        ("https://token@h/x", f"https://:{MASK}@h/x"),
        ("postgresql://u:p/a@s#s?x@h1,h2/db", f"postgresql://u:{MASK}@h1,h2/db"),
        ("postgresql://h/db?password=p&x=1", f"postgresql://h/db?password={MASK}&x=1"),
        ("postgresql:///db?host=/run/x", "postgresql:///db?host=/run/x"),
        ("no url", MASK),
    ],
)
def test_a_url_keeps_its_host_and_loses_its_password(url, shown):
    assert mask_url(url) == shown


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_no_password_whatever_its_characters_survives(password):
    canary = f"<<{password}>>"
    assert canary not in mask_url(f"amqp://user:{canary}@host/vhost")
    assert canary not in mask_text(f"cannot reach amqp://user:{canary}@host/vhost now")


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abc***xyz9.",
        "got sk-penstock-0123456789abcdef-AAAA_AAAA",
        "header Authorization: Bearer abcdef.ghi-jkl",
        "GET https://x/v1?api_key=abcdefgh&y=1",
    ],
)
def test_keys_inside_texts_are_hidden(text):
    masked = mask_text(text)
    assert MASK in masked
    for part in ("xyz9", "AAAA", "ghi", "abcdef"):
        assert part not in masked.replace("0123456789abcdef", "")


def test_a_text_without_secrets_stays_as_it_is():
    text = "task-based risk-free bearer of news; see https://example.org/a?b=c and a@b.c"
    assert mask_text(text) == text
