"""From raw records to records, commits and view changes: everything but reading and writing."""
