"""How good networks are: scores of whole runs, calibrated, judged, as tables and figures."""
