"""What a person sees of a run: the screen while it lasts, the summary at its end."""
