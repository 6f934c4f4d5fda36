"""The HTTP door: orders and conversations in, progress and results out."""
