"""Runs the cells of a grid in order, each in its own process."""
