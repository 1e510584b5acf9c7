from collections import Counter

import pytest

from bench.run.cells import interleaved

pytestmark = pytest.mark.fast

IMPLEMENTATIONS = {
    "lowlevel": "impl_lowlevel",
    "estimator": "impl_estimator",
    "keras": "impl_keras",
}


def test_every_cell_comes_once():
    cells = interleaved(
        IMPLEMENTATIONS, "default", ["small", "large"], ["logits", "activated"], range(3)
    )
    assert len(cells) == 36 == len({cell.name for cell in cells})


@pytest.mark.parametrize("place", range(3))
def test_every_implementation_is_equally_often_at_each_place(place):
    cells = interleaved(
        IMPLEMENTATIONS, "default", ["small", "large"], ["logits", "activated"], range(3)
    )
    assert set(Counter(cell.implementation for cell in cells[place::3]).values()) == {4}


def test_cells_that_are_compared_run_next_to_each_other():
    cells = interleaved(IMPLEMENTATIONS, "default", ["small", "large"], ["logits"], range(2))
    for start in range(0, len(cells), 3):
        assert (
            len({(cell.dataset, cell.outputs, cell.seed) for cell in cells[start : start + 3]}) == 1
        )


def test_an_implementation_without_a_profile_has_no_cells_of_it():
    cells = interleaved(
        {**IMPLEMENTATIONS, "json": "json"}, "tuned", ["small"], ["logits"], range(2)
    )
    assert len(cells) == 6
    assert "json" not in {cell.implementation for cell in cells}
    assert cells[0].name == "lowlevel-tuned-small-logits-0"
