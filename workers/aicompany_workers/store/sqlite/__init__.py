"""The event store on SQLite: one file, one writer thread that commits in groups, separate readers."""
