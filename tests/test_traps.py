"""The gallery: every trap is well made, sound ports are sound, and all are told apart."""

import pytest
from conftest import ROOT, open_references, slow_after

from bench.diagnose.causes import CAUSES
from bench.implementations import IMPLEMENTATIONS
from bench.parity import STAGE_NAMES, ComparisonSetting, compare
from bench.task import UserError
from bench.traps import baseline_edits as sound
from bench.traps.comparison import compare_traps, on_path, planted
from bench.traps.injection import FILES, edited, write_sound, write_trapped
from bench.traps.trap import gallery

TRAPS = gallery()
SEEDS = 3


@pytest.mark.fast
def test_there_is_one_file_a_trap_and_every_kind_is_there():
    files = {path.stem for path in (ROOT / "bench/traps/gallery").glob("*.py")} - {"__init__"}
    assert set(TRAPS) == files
    assert {trap.number for trap in TRAPS.values()} == set(range(1, 25))


@pytest.mark.fast
@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_a_trap_is_well_made(trap, tmp_path):
    """Checks that its changes fit today's implementations and make valid Python."""
    assert trap.stage in STAGE_NAMES
    assert trap.cause in CAUSES
    assert trap.alone in {"", *CAUSES}
    assert trap.source
    assert trap.edits
    assert set(trap.edits) <= set(IMPLEMENTATIONS)
    for name in trap.edits:
        for module in (
            write_trapped(trap, name, tmp_path),
            write_sound(trap, trap.reference(name), tmp_path),
        ):
            for file in FILES if (tmp_path / module).is_dir() else ():
                compile((tmp_path / module / file).read_text(), file, "exec")


@pytest.mark.fast
def test_an_edit_that_does_not_fit_is_refused():
    texts = {"train.py": "a = 1\nb = 2\na = 1\n"}
    assert (
        edited(texts, "@@ train.py\n-b = 2\n+b = 3\n+c = 4\n")["train.py"]
        == "a = 1\nb = 3\nc = 4\na = 1\n"
    )
    assert edited(texts, "") == texts
    for change in ("@@ train.py\n-a = 1\n+a = 2\n", "@@ train.py\n-c = 1\n"):
        with pytest.raises(ValueError, match="an edit needs it once"):
            edited(texts, change)


SOUND = {
    name: value
    for name, value in vars(sound).items()
    if name.isupper() and not name.startswith("_")
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SOUND if name != "MOMENTUM_DECAY"])
def test_sound_ports_are_the_same_network_in_all_three(name, tmp_path):
    """Leaves out momentum with a schedule: it is a trap because the APIs differ there."""
    trap = next(trap for trap in TRAPS.values() if trap.sound == SOUND[name])
    modules = {
        implementation: write_sound(trap, implementation, tmp_path)
        for implementation in IMPLEMENTATIONS
    }
    with on_path(tmp_path), open_references() as opened:
        for implementation in ("estimator", "keras"):
            parity = compare(
                opened(modules["lowlevel"]), modules[implementation], ComparisonSetting(steps=5)
            )
            assert parity.same, f"{implementation}: {parity.first_different}"


@pytest.mark.slow
def test_every_trap_in_every_api_is_named_with_its_stage_and_cause(tmp_path):
    """Runs each on small, with one of three seeds in turn.

    `python -m bench traps --full` takes all seeds and both datasets.
    """
    found = planted(list(TRAPS.values()), list(IMPLEMENTATIONS), ["small"], tmp_path)
    assert len(found) == sum(len(trap.edits) for trap in TRAPS.values()) > 110
    rows = [
        row for seed in range(SEEDS) for row in compare_traps(found[seed::SEEDS], [seed], tmp_path)
    ]
    wrong = [
        row
        for row in rows
        if (row.stage, row.cause) != (TRAPS[row.trap].stage, TRAPS[row.trap].cause)
    ]
    stages = [row for row in rows if row.stage != TRAPS[row.trap].stage]
    assert not stages, stages
    assert len(wrong) <= 0.05 * len(rows), wrong


@pytest.mark.slow
def test_a_port_that_differs_for_no_known_reason_is_said_to(tmp_path):
    """Compares a port that halves its loss from the third step on: no known cause does that."""
    port = tmp_path / "port.py"
    port.write_text((ROOT / "tests/ports.py").read_text())
    from bench.diagnose.explain import explain

    parity = compare(
        f"{port}:model", f"{port}:wrong_curve", ComparisonSetting(steps=20), explain=explain
    )
    assert parity.first_different.name == "curve"
    assert parity.explanations == []


@pytest.fixture(scope="module")
def model():
    """Opens the reference of the next tests."""
    with open_references() as opened:
        yield opened(f"{ROOT}/tests/ports.py:model")


@pytest.mark.parametrize(
    ("candidate", "cause"),
    slow_after(
        1,
        [
            ("wrong_loss_from_logits", "probabilities_expected"),
            ("wrong_loss_sum", "sum_for_mean"),
            ("wrong_loss_regularised", "regularisation_not_added"),
            ("wrong_variables_frozen", "not_trainable"),
            ("wrong_variables_bias", "missing_variable"),
            ("wrong_initial_weights", "initialiser_differs"),
            ("wrong_forward", "other_activation"),
            ("wrong_gradients_none", "gradient_cut"),
            ("wrong_update_rate", "learning_rate"),
            ("wrong_update_default_epsilon", "epsilon"),
        ],
    ),
)
def test_ports_that_are_no_traps_of_the_gallery_are_explained_too(candidate, cause, model):
    from bench.diagnose.explain import explained

    ports = ROOT / "tests/ports.py"
    parity = explained(
        model,
        f"{ports}:{candidate}",
        ComparisonSetting(steps=10, batch=None, first_only=True),
    )
    assert [found.cause for found in parity.explanations][:1] == [cause], (
        parity.explanations or parity.first_different
    )
    assert all(
        line.startswith("ports.py:") for found in parity.explanations for line in found.lines
    )


@pytest.mark.fast
def test_an_unknown_trap_is_an_error():
    from click.testing import CliRunner

    from bench.cli import main

    with pytest.raises(UserError, match="there is no trap 'nothing'"):
        CliRunner().invoke(
            main, ["traps", "--only", "nothing"], standalone_mode=False, catch_exceptions=False
        )


@pytest.mark.fast
def test_the_table_names_all_and_a_trap_shows_its_change():
    from click.testing import CliRunner

    from bench.cli import main

    table = CliRunner().invoke(main, ["traps"]).output
    assert all(name in table for name in TRAPS)
    shown = CliRunner().invoke(main, ["traps", "--only", "sum_for_mean"]).output
    assert "+    loss = tf.reduce_sum(sample_losses)" in shown
    assert "cure" in shown
    assert "https://" in shown
