"""The event store on PostgreSQL, for a company of several processes."""
