"""Memory of a pipeline: profiles, offloading, quantisation, compilation, estimates."""
