"""The broker port on PostgreSQL: PGMQ's SQL for queues, LISTEN and NOTIFY for what is transient.

What is in PostgreSQL, and why it is so:

* One table per queue, PGMQ's own. A body is one JSON *string* in it, since jsonb would reorder keys and
  refuses an escaped NUL; the message's other properties are the row's ``headers``.
* A publish commits durably, and so does taking a message: a redelivery must be known as one.
  Acknowledgements and renewals commit without waiting for the disk: if the server loses power, the last
  of them are forgotten and those messages come again, which the port allows.
* Replies and broadcasts are notifications, cut into pieces of less than 8,000 bytes. They touch no table.
* A subscription is an advisory lock on the connection that listens, so a killed process is not counted.

Everything that changes rows is a function in the schema ``penstock_broker`` (``schema.sql``), one round
trip and one transaction each, however many queues it concerns.
"""

from shared.messaging.postgres.broker import PostgresBroker

__all__ = ["PostgresBroker"]
