"""Work of several steps, from ports to ports."""
