"""PostgreSQL and the receivers, as webhook delivery uses them."""
