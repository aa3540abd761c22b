"""An expert on currents beside the ensemble: trained, and held against the ensemble without it."""
