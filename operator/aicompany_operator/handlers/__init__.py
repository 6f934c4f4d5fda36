"""What kopf calls: decorators that hand over."""
