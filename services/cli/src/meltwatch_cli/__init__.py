"""The meltwatch command."""
