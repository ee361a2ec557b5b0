"""MatAnyone: alpha of one object through a clip, from its mask in the first frame."""
