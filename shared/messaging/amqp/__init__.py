"""A client of AMQP 0-9-1 for one kind of use: many small messages, published and consumed at once.

It knows nothing of Penstock. ``connect`` opens a ``Connection``; its ``channel`` opens a ``Channel``, which
publishes, consumes and settles. Frames are cut, read and packed by hand (``frames``, ``incoming``,
``properties``); deliveries go to a plain callback as they are read, without a task for each; what one turn
of the event loop sends is one write (``writer``). Nothing here reconnects: a lost connection fails
everything that waits on it, and that is all.
"""
