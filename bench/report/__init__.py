"""Tables, curves and one HTML page, all derived from the raw files of a result folder."""
