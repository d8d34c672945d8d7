"""What is Valkey's own."""

import pytest
import redis

from shared.runtime.engines.valkey import EmbeddedValkey


@pytest.fixture
def engine(tmp_path, stopped_afterwards):
    return stopped_afterwards(EmbeddedValkey(tmp_path / "data", tmp_path / "run", maxmemory="8mb"))


def test_it_listens_on_no_port_and_appends_every_write(engine):
    engine.start()
    with redis.Redis.from_url(engine.url, decode_responses=True) as client:
        settings = client.config_get("*")
    assert settings["port"] == "0"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["save"] == ""


def test_a_full_cache_gives_way_and_keys_without_expiry_stay(engine):
    engine.start()
    with redis.Redis.from_url(engine.url) as client:
        client.set("reservation", "kept")
        for number in range(2000):
            client.set(f"cache:{number}", b"x" * 8192, ex=3600)
        assert client.get("reservation") == b"kept"
        assert client.info("stats")["evicted_keys"] > 0
        assert client.dbsize() * 8192 < 8 * 1024 * 1024
