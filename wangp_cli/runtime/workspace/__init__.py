"""Folders for unfinished work: cached segments and offloaded weights."""
