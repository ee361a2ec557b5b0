"""RAFT: optical flow between two frames."""
