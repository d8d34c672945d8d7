"""An OpenAI-compatible provider with chosen latency, tokens and faults: demo, benchmarks, fault tests.

Consumes HTTP only and owns nothing durable. Its models are ``echo``, ``text`` and ``embedding``; a
``simulator`` object in a request's body changes how it is answered (``domain/behaviour.py``), and
``GET /simulator/calls?key=`` says how often and with what end a key was called, ``/simulator/spans`` when.
``PUT /simulator/batches`` changes how its ``/v1/batches`` run (``domain/batches.py``).
"""
