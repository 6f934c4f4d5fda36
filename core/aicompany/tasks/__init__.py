"""Tasks: units of work. An order is a task without a parent, a step is a task inside a plan."""
