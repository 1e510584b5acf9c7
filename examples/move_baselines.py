"""Copies a folder of WFDB records, and moves the baseline of each signal to the signal's mean.

    python examples/move_baselines.py FROM TO

The copies have no offset. Signals and annotations stay as they are: only the number in brackets
after the gain changes in the headers (WFDB Applications Guide, header(5)). A file of checksums is
not copied, because it does not fit the new headers.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import wfdb

folders = [Path(name) for name in sys.argv[1:]]
if len(folders) != 2 or not folders[0].is_dir() or folders[1].exists():
    sys.exit("name a folder of WFDB records, and a folder to be made")
source, target = folders
shutil.copytree(source, target, ignore=shutil.ignore_patterns("SHA256SUMS*", "sha256sums*"))
for path in sorted(target.glob("*.hea")):
    name = str(path.with_suffix(""))
    try:
        header, signals = wfdb.rdheader(name), wfdb.rdrecord(name).p_signal
    except Exception as error:  # wfdb raises whatever its parsing runs into
        print(f"{path.stem}: left as it is: {error}")
        continue
    counts = header.baseline + np.nanmean(signals, axis=0) * header.adc_gain
    header.baseline = [int(count) for count in np.round(counts)]
    header.wrheader(str(target))
