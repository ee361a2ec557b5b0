"""The starter: a tiny Wan-VACE checkpoint trained from scratch on drawn clips."""
