"""Very many callers who wait for their jobs, and what that costs one ingress (``make watchers``)."""
