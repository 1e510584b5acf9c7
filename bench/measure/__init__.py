"""Clocks, traces and statistics."""
