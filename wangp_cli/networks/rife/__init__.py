"""RIFE: networks that estimate the optical flow to a frame in between, and blend the two warped frames.

Source: Huang et al. 2022, arXiv:2011.06294.
"""
