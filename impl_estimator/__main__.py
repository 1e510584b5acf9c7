"""`python -m impl_estimator` trains this implementation alone.

All implementations have the same options.
"""

from bench.run.train_cli import main

if __name__ == "__main__":
    main("impl_estimator")
