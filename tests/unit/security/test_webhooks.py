"""Secrets of webhooks, sealed; and their signatures, as the official code reads them."""

import base64
import json
from datetime import UTC, datetime

import openai
import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.contracts.ids import new_id
from shared.security.webhook_secrets import SecretBox, SecretUnreadableError, key_of, mint_secret
from shared.security.webhook_signatures import SignatureError, sign, verify

NOW = int(datetime.now(UTC).timestamp())
PAYLOAD = json.dumps({"type": "a.b", "data": {"text": "Zo\u00eb"}}, ensure_ascii=False).encode()
BOX = SecretBox(SecretStr("k" * 32))


def headers(*secrets: str, at: int = NOW, payload: bytes = PAYLOAD) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secrets, "msg_1", at, payload),
    }


def test_the_example_of_the_specification_comes_out() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    payload = b'{"test": 2432232314}'
    signed = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("known", [0, 1, 2])
def test_official_clients_verify_by_any_secret_that_is_valid(known: int) -> None:
    secrets = [mint_secret() for _ in range(3)]
    sent = headers(*secrets)
    Webhook(secrets[known]).verify(PAYLOAD, sent)
    openai.OpenAI(api_key="-").webhooks.verify_signature(PAYLOAD, sent, secret=secrets[known])
    verify(secrets[known], sent, PAYLOAD, now=NOW)


def test_what_was_changed_is_not_genuine() -> None:
    secret = mint_secret()
    sent = headers(secret)
    for wrong_headers, payload, key in (
        (sent, PAYLOAD + b" ", secret),
        (sent, PAYLOAD, mint_secret()),
        ({**sent, "webhook-id": "msg_2"}, PAYLOAD, secret),
        ({**sent, "webhook-timestamp": str(NOW + 1)}, PAYLOAD, secret),
        ({**sent, "webhook-signature": sent["webhook-signature"].replace("v1,", "v2,")}, PAYLOAD, secret),
    ):
        with pytest.raises(SignatureError):
            verify(key, wrong_headers, payload, now=NOW)
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(payload, wrong_headers)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"webhook-id": ""}, "is missing"),
        ({"webhook-signature": ""}, "is missing"),
        ({"webhook-timestamp": "now"}, "is no number"),
        ({"webhook-timestamp": "\u0661"}, "is no number"),
        ({"webhook-timestamp": "9" * 5000}, "is no number"),
        ({"webhook-id": "\udcff"}, "by this secret"),
        ({"webhook-signature": "v1,\udcff"}, "by this secret"),
        ({"webhook-timestamp": str(NOW - 301)}, "more than 300 s"),
        ({"webhook-timestamp": str(NOW + 301)}, "more than 300 s"),
        ({"webhook-signature": "v1,\u00e9 nonsense v1"}, "by this secret"),
    ],
)
def test_headers_that_make_no_sense_are_named(changed: dict[str, str], reason: str) -> None:
    secret = mint_secret()
    with pytest.raises(SignatureError, match=reason):
        verify(secret, {**headers(secret), **changed}, PAYLOAD, now=NOW)


def test_a_text_that_is_no_secret_is_named() -> None:
    for text in ("", "secret", "whsec_*"):
        with pytest.raises(SignatureError, match="no webhook secret"):
            verify(text, headers(mint_secret()), PAYLOAD, now=NOW)


def test_a_secret_has_256_random_bits_behind_its_prefix() -> None:
    secret = mint_secret()
    assert secret != mint_secret()
    assert len(key_of(secret)) == 32
    assert base64.b64encode(key_of(secret)).decode() == secret.removeprefix("whsec_")


def test_a_sealed_secret_opens_with_the_same_key_for_the_same_tenant_only() -> None:
    tenant, secret = new_id(), mint_secret()
    sealed = BOX.seal(secret, tenant)
    assert SecretBox(SecretStr("k" * 32)).open(sealed, tenant) == secret
    assert secret.encode() not in sealed
    assert BOX.seal(secret, tenant) != sealed
    old = SecretBox(SecretStr("l" * 32)).seal(mint_secret(), tenant)
    assert BOX.open_readable([old, sealed, old], tenant) == [secret]
    assert BOX.open_readable([], tenant) == []
    with pytest.raises(SecretUnreadableError):
        BOX.open_readable([old], tenant)
    for box, data, owner in (
        (SecretBox(SecretStr("l" * 32)), sealed, tenant),
        (BOX, sealed, new_id()),
        (BOX, sealed[:-1] + bytes([sealed[-1] ^ 1]), tenant),
        (BOX, b"\x02" + sealed[1:], tenant),
        (BOX, sealed[:5], tenant),
        (BOX, b"", tenant),
    ):
        with pytest.raises(SecretUnreadableError):
            box.open(data, owner)
