"""What is given away: the model repository, frozen answers, the default set-point, their proof."""
