"""What the company says of itself: log lines and metrics, both made from the same facts."""
