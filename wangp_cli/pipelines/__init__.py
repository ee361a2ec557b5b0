"""One adapter per model family, on top of diffusers."""
