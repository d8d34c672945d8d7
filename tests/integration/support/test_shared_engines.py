"""The fixtures that every integration test builds on."""

import psycopg
import redis


def test_each_fresh_database_is_empty_and_apart(fresh_database):
    one, two = fresh_database(), fresh_database()
    with psycopg.connect(one) as connection:
        connection.execute("create table only_here (n int)")
    with psycopg.connect(two) as connection:
        assert connection.execute("select to_regclass('only_here')").fetchone() == (None,)


def test_the_shared_valkey_answers(valkey_url):
    with redis.Redis.from_url(valkey_url) as client:
        assert client.ping()
