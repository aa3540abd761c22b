"""What history is and what it takes to replay it: pure."""
