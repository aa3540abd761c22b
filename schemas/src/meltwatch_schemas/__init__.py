"""What crosses a process border: messages, topics, keys, tensors and their codec."""
