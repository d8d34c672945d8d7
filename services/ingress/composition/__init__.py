"""The composition root's parts: each builds the endpoints of one group of routes."""
