"""Weights in the layouts of other tools."""
