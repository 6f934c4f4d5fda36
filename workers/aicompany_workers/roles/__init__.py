"""The roles: what each does with a message. Everything around a message is the runtime's."""
