"""Values that were given, resolved and settled into a `Request`."""
