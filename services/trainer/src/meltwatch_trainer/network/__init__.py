"""FmFormer in PyTorch: tokens, encoder, heads, and the fixed steps around the members."""
