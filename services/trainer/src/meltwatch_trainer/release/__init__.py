"""What is released: the model repository, frozen answers, the default set-point, their tests."""
