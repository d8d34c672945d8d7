"""``make bench-peers``: Penstock and other gateways before the same simulator, in the same run."""
