"""What the simulator answers, and how it misbehaves: rules without I/O."""
