"""`python -m bench`."""

import sys

if not (3, 9) <= sys.version_info[:2] <= (3, 11):
    sys.exit("error: Python 3.9, 3.10 or 3.11 is needed (TensorFlow 2.15, the last with Estimator, has no other), "
             "this is %d.%d: run `make bench`, which finds or fetches one" % sys.version_info[:2])

if __name__ == "__main__":
    from bench.cli import run

    run()
