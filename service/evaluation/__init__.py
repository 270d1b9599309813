"""Metrics, baselines, tables and plots."""
