"""Networks that no library has; their weights come from the files of their authors."""
