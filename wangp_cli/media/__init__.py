"""Arrays in, arrays out: clips, files, sound."""
