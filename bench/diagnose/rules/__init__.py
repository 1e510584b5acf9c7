"""Without a reference: what is wrong with a training by its own record.

Few rules, each with the source of its threshold; `tests/test_rules.py` has both sides of every one. What `data` and `network`
find is certain in itself and is said of any training; `symptoms` are said only of one that did not learn.
"""
