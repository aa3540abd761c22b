"""What the commands know without asking anybody: folding, ordering, wording."""
