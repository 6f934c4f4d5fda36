"""What the company leaves out while more is asked of it than it can do."""
