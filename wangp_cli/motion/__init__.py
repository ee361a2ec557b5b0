"""Motion between frames without weights: optical flow, frames in between, scene cuts."""
