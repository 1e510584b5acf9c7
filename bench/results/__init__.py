"""What a run leaves behind: its raw files, each read once and checked as it is read."""
