"""What runs any role: intake by lanes, the handling of one message, the outbox relay, health and shutdown."""
