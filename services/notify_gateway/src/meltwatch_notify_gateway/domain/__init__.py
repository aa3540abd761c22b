"""What is told to whom and when: no I/O, no clock."""
