"""The operator console: a view and a mailbox."""
