"""Weights in the layouts of other tools, checked key by key and brought to diffusers' form."""
