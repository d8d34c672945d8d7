"""One file per outside system: providers by protocol, the price list, claims in Redis."""
