"""Mattes: the alpha of an object in every frame, from its mask in a few."""
