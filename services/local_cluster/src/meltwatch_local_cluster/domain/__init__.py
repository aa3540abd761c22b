"""Rules of a local run that need no process: when to start a dead service again."""
