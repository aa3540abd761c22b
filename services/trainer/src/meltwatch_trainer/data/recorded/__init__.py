"""A plant's own recordings: read, labelled, cut into runs, and held against what is claimed."""
