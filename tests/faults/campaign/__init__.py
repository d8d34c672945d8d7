"""A random campaign: clients load a fleet, a killer kills its processes, a checker proves what was promised.

``work`` says what is submitted, ``jobs`` and ``calls`` are the clients, ``hooks`` is told by webhooks,
``victims`` and ``killer`` do the damage, ``history`` records all of it, ``evidence`` is what the fleet itself
says afterwards, and ``checker`` compares the two without looking at anything else.
"""
