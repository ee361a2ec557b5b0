"""Steering of a running run."""
