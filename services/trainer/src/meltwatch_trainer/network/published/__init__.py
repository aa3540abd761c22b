"""The published FmFormer: its attributes are named as the keys of the published weights."""
