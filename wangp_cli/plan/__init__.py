"""Frame arithmetic: how many frames each part of a long video has, before any model runs."""
