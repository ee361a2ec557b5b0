"""Where tasks run: settings, session, events and files."""
