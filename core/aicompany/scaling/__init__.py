"""How many workers there should be, and why."""
