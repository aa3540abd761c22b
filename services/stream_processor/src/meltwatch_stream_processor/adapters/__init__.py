"""One client library each, behind a port; no decision is taken here."""
