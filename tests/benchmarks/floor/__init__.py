"""The least that one sync chat can cost: each part alone, with the same libraries and nothing else."""
