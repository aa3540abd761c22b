"""One module per command; each imports its clients when it runs, so that --help stays quick."""
