"""Rules without a reference: what is wrong with a training, found in its own record.

The rules are few, and each names the source of its threshold; `tests/test_rules.py` tests both
sides of every threshold. The rules in `data` and `network` find faults that are certain, and apply
to any training. The rules in `symptoms` apply only to a training that did not learn.
"""
