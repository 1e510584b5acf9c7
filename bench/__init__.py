"""One network in three TensorFlow APIs: is the port the same, why does it not train, what does each
API cost?"""

import sys

if not (3, 9) <= sys.version_info[:2] <= (3, 11):
    print(
        "error: Python 3.9, 3.10 or 3.11 is needed (TensorFlow 2.15, the last with Estimator, has "
        f"no other), this is {sys.version_info[0]}.{sys.version_info[1]}: run `make bench`, which "
        "finds or fetches one",
        file=sys.stderr,
    )
    sys.exit(2)
