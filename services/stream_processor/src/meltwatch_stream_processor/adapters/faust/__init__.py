"""Faust, and all that is there because Faust drops, repeats or stalls; nobody else imports it."""
