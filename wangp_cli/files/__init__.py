"""Files on disk: durable writes, checksums, strict JSON, untrusted text. Standard library only."""
