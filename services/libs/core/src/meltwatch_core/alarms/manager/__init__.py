"""The alarm manager's desks: records in, records out, in the order of the topics."""
