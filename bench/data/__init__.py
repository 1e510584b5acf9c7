"""Sources of samples, and the datasets made of them: TFRecords in a cache, with checksums."""
