"""Read, recognise, convert and write the checkpoints of networks."""
