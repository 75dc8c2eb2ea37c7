"""Monitoring: the prediction log, the reference profile, drift, summaries and report pages."""
