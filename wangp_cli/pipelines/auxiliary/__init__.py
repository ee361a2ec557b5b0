"""Networks of tools: each module loads one kind of network from its checkpoint."""
