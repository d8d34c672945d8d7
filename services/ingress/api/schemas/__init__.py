"""Shapes for ``/openapi.json``; requests are checked by ``services.ingress.domain``, which says more."""
