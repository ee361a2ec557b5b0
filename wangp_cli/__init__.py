"""wangp: make video with open diffusion models from the shell."""

__version__ = "0.1.0"
