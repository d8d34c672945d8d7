"""Keys: minted, stored as digests, checked."""
