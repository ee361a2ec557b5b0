"""Mattes: the alpha of a subject in every frame, from its mask in a few."""
