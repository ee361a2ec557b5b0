"""URLs and connections, as strict for a hub as for a task file."""
