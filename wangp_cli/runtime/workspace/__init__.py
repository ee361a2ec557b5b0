"""Unfinished work on disk."""
