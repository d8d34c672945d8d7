"""What the services share: contracts, ports and their adapters, the shape of a process."""
