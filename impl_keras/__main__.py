"""`python -m impl_keras` trains on its own; the options are the same for all implementations."""

from bench.run.train_cli import main

if __name__ == "__main__":
    main("impl_keras")
