"""Metrics, protocols and the report page."""
