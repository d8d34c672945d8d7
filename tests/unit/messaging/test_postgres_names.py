"""Names inside PostgreSQL."""

from shared.messaging.postgres.names import MAX_TABLE, is_inbox_channel, new_inbox_channel, table_name
from shared.messaging.topology import FLEET


def test_every_queue_of_the_fleet_has_a_readable_name_of_its_own():
    names = [table_name(queue.name) for queue in FLEET.queues]
    assert "jobs_chat_interactive_v1" in names
    assert len(set(names)) == len(names)


def test_names_that_are_too_long_or_ambiguous_stay_legal_and_different():
    queues = ["a.b", "a_b", "A.b", "a-b", "a;--'$b", "x" * 60, "x" * 61, "x" * 47]
    names = [table_name(queue) for queue in queues]
    assert len(set(names)) == len(queues)
    assert all(len(name) <= MAX_TABLE and name.replace("_", "").isalnum() for name in names)


def test_only_our_own_addresses_are_inboxes():
    assert is_inbox_channel(new_inbox_channel())
    assert not is_inbox_channel("penstock.broadcast")
