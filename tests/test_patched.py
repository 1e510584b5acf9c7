"""Functions of another library are replaced for a while, and a name that is gone is an error."""

import json

import pytest

from bench.patched import patched

pytestmark = pytest.mark.fast


def test_the_original_comes_back_even_after_an_error():
    original = json.dumps

    def use():
        with patched(json, {"dumps": len}):
            raise RuntimeError(json.dumps("four"))

    with pytest.raises(RuntimeError, match=r"^4$"):
        use()
    assert json.dumps is original


def test_a_name_that_is_not_there_raises_and_nothing_is_replaced():
    original = json.dumps
    with (
        pytest.raises(AttributeError, match="renamed"),
        patched(json, {"dumps": len, "renamed": len}),
    ):
        pass
    assert json.dumps is original
