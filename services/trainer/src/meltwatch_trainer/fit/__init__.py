"""The study on a plant's own recordings: read, train, score what was left out, judge, export."""
