"""What is wrong with a port: with a reference, without one, and from a finished cell's files."""
