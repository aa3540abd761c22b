"""The commands, one module each; cyclopts makes options of their annotations."""
