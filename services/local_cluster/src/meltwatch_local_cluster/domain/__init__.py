"""Rules of a local run that need no process: what was observed, and whether that is good."""
