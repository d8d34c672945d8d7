import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.errors import AuthenticationError
from shared.security.api_keys import mint, parse, verify

PEPPER = SecretStr("a pepper of at least 32 characters")


def test_a_minted_key_verifies():
    minted = mint(PEPPER)
    key_id, secret = parse(minted.key)
    assert key_id == minted.key_id
    assert verify(secret, minted.digest, PEPPER)


def test_another_secret_or_pepper_or_digest_does_not_verify():
    minted, other = mint(PEPPER), mint(PEPPER)
    _, secret = parse(minted.key)
    assert not verify(parse(other.key)[1], minted.digest, PEPPER)
    assert not verify(secret, other.digest, PEPPER)
    assert not verify(secret, minted.digest, SecretStr("another pepper of 32 characters!"))
    assert not verify(secret, b"", PEPPER)


def test_the_pepper_itself_is_not_the_key_of_the_hmac():
    minted = mint(PEPPER)
    secret = parse(minted.key)[1].encode()
    plain = hmac.digest(PEPPER.get_secret_value().encode(), secret, hashlib.sha256)
    assert minted.digest != plain
    assert len(minted.digest) == 32


def test_showing_a_minted_key_shows_only_its_id():
    minted = mint(PEPPER)
    assert minted.key_id in repr(minted)
    assert parse(minted.key)[1] not in repr(minted)


def test_keys_differ():
    keys = {mint(PEPPER).key for _ in range(200)}
    assert len(keys) == 200


def _damaged(key):
    return [
        "",
        "sk-penstock",
        key[:-1],
        key + "A",
        key + "\n",
        " " + key,
        key.upper(),
        key.replace("sk-penstock", "sk-other"),
        "sk-penstock-0123456789abcdeg-" + "A" * 43,
        "sk-penstock-" + "\N{FULLWIDTH DIGIT ONE}" * 16 + "-" + "A" * 43,
        "sk-" * 100_000,
    ]


@pytest.mark.parametrize("number", range(11))
def test_what_does_not_look_like_a_key_is_refused_without_repeating_it(number):
    text = _damaged(mint(PEPPER).key)[number]
    with pytest.raises(AuthenticationError) as caught:
        parse(text)
    assert not text.strip() or text.strip() not in caught.value.message


@given(st.text())
def test_any_text_is_refused_or_split(text):
    with pytest.raises(AuthenticationError):
        parse(text)
