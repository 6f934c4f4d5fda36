"""What task workers can do besides thinking: one module a tool set, registered in `registry`."""
