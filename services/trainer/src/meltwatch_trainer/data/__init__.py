"""What networks learn from: simulated furnaces, cut into windows with their labels."""
