"""Ingress: the HTTP API in front of the broker.

Consumes HTTP and its own reply inbox. Publishes ``jobs.<operation>.<lane>``, ``results.finished`` for calls
that ran out of time, and the broadcasts that cancel jobs. Owns the creation and the cancellation of jobs,
and the endpoints of webhooks.
"""
