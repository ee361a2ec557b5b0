"""Control pictures: edges, depth, optical flow, poses, line drawings and grey of frames."""
