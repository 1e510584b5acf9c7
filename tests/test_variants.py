from collections import Counter

import pytest

from bench.run.variants import balanced_orders, variants_of

pytestmark = pytest.mark.fast

IMPLEMENTATIONS = {"lowlevel": "impl_lowlevel", "keras": "impl_keras"}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_everything_comes_equally_often_at_each_place_and_after_each_other(count):
    orders = balanced_orders(count)
    for place in range(count):
        assert len(set(Counter(order[place] for order in orders).values())) == 1
        assert {order[place] for order in orders} == set(range(count))
    neighbours = Counter(pair for order in orders for pair in zip(order, order[1:]))
    assert len(neighbours) == count * (count - 1)
    assert len(set(neighbours.values())) <= 1


def test_yardsticks_stand_beside_all_profiles():
    assert [variant.name for variant in variants_of(IMPLEMENTATIONS, ["default", "tuned"])] == [
        "lowlevel-default",
        "lowlevel-tuned",
        "keras-default",
        "keras-tuned",
        "lowlevel-again",
        "floor-floor",
    ]


def test_what_has_no_tuned_profile_takes_part_with_its_default():
    names = [variant.name for variant in variants_of({"json": "json"}, ["default", "tuned"])]
    assert names == ["json-default", "json-again", "floor-floor"]
