"""Scheduler: does what is due.

Consumes a clock. Publishes jobs whose first publish never happened or whose retry is due, puts jobs
that fell silent on the broker again, expires jobs at their deadline, runs batches from their input to
their output files, removes files, keeps partitions ahead and drops old ones with their bodies. Any number may
run: one leads, by an advisory lock of PostgreSQL.
"""
