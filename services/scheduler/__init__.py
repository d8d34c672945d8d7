"""Scheduler: does what is due.

Consumes a clock. Publishes jobs whose first publish never happened or whose retry is due, puts jobs
that fell silent on the broker again, expires jobs at their deadline, erases contents whose time is over,
keeps partitions ahead and drops old ones with their bodies. Any number may run: one leads, by an advisory
lock of PostgreSQL.
"""
