"""Where weights are kept: memory profiles, offload, quantisation, compilation, estimates."""
