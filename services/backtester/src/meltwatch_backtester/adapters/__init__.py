"""One client library or file format each."""
