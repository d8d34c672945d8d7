"""Calls providers.

Consumes ``jobs.<operation>.<lane>`` (``JobRequested``) and the broadcast ``JobCancelRequested``.
Publishes replies to the ingress that waits (``JobDelta``, ``JobFinished``) and ``results.*``
(``JobStarted``, ``JobDelta``, ``JobsHeld``, ``JobDeferred``, ``JobFinished``; several of one kind at once as
``JobRecords``).
Owns no tables; the claim of a background job in Redis, ``penstock:{<job_id>}:claim``.
"""
