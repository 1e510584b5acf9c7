"""Files of samples, read piece by piece: each module has one function, `read`, for one format."""
