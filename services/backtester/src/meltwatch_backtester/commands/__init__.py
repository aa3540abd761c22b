"""The commands, one module each; typer makes options of their annotations."""
