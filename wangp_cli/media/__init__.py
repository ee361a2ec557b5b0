"""Clips as arrays: reading, writing, resizing, colour, masks and audio."""
