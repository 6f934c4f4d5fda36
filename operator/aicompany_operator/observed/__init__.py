"""What was seen of one company at one instant: frozen values, no I/O."""
