"""The starter: a tiny Wan VACE checkpoint, trained from scratch on rendered clips of moving shapes."""
