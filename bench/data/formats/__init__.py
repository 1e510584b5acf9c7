"""File formats of samples: each module has a function `read`, which reads a file in chunks."""
