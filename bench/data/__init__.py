"""Where samples come from: a synthetic source or WFDB records, written once as checked TFRecords."""
