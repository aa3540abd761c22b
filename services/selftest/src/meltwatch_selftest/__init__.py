"""Shows that a running system finds an anomaly."""
