"""What browsers ask for: one module per group of addresses."""
