"""What the self-test shows and what it expects: no input, no output, no clock."""
