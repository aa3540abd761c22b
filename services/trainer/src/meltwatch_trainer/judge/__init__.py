"""What networks are worth: scores of whole runs, calibrated, judged, as tables and figures."""
