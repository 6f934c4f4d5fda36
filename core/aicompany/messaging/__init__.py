"""What travels: envelopes, the lanes they travel on and the queues they wait in."""
