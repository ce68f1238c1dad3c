"""Ranks, metrics, protocols, reports and plots."""
