"""Which cells run, in what order, each in a process of its own."""
