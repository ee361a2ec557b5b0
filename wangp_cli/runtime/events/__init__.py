"""Event types, the ordered stream, its sinks, and schemas."""
