"""Offsets: which are large, and what an inspection says of them."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT, run_module, write_record

from bench.data.estimate import SATURATED
from bench.data.offset import Offset, RecordOffset, offset_of, record_offset
from bench.data.records import Records, read_record
from bench.report.numbers import rounded
from bench.report.offsets import described, offset_warnings
from bench.run.inspection import Inspection, _centred

ABOVE_3, ABOVE_SATURATED = math.nextafter(3, 4), math.nextafter(SATURATED, 20)
SMALL, LARGE = Offset(3.0, 1.0), Offset(ABOVE_3, 1.0)


def record_of(offset, name="r", unit="mV"):
    return RecordOffset(name, offset, unit, baseline=10, mean_count=610)


def inspection_of(offset=SMALL, records=(), step=5.0, centred_step=1.0):
    """An inspection of which only the offsets and the estimates matter."""
    return Inspection(
        path=None,
        scan=None,
        sha256="",
        sums=None,
        logit_step=step,
        centred_step=centred_step,
        offset=offset,
        records=list(records),
        remarks=[],
    )


@pytest.fixture
def offset_folder(tmp_path):
    """Returns a folder of two records whose baselines in the headers are wrong by 963 counts."""
    folder = tmp_path / "offset"
    for name in ("100", "203"):
        write_record(folder, name)
        header = folder / f"{name}.hea"
        header.write_text(header.read_text().replace("(1024)", "(61)"))
    return folder


def moved(folder):
    """Runs `examples/move_baselines.py`. Returns the new folder."""
    target = folder.parent / "moved"
    subprocess.run(
        [sys.executable, ROOT / "examples/move_baselines.py", folder, target], check=True
    )
    return target


@pytest.mark.fast
@pytest.mark.parametrize(
    ("mean", "deviation", "large"),
    [
        (3, 1, False),
        (ABOVE_3, 1, True),
        (-3, 1, False),
        (-ABOVE_3, 1, True),
        (0, 0, False),
        (1e-9, 0, True),
    ],
)
def test_an_offset_is_large_from_three_deviations_on(mean, deviation, large):
    assert Offset(mean, deviation).is_large == large


@pytest.mark.fast
def test_an_offset_is_the_mean_of_all_values():
    assert offset_of(np.array([[1, 3], [5, 7]], np.int16)) == Offset(4, math.sqrt(5))
    huge = np.full((2, 3), 3e38, np.float32)
    assert offset_of(huge).mean == pytest.approx(3e38)
    assert offset_of(huge).deviation == 0


@pytest.mark.fast
@pytest.mark.parametrize("gain", [200.0, 1000.0])
def test_the_mean_count_of_a_record_is_the_baseline_that_removes_its_offset(offset_folder, gain):
    header = offset_folder / "100.hea"
    header.write_text(header.read_text().replace("200.0(61)", f"{gain}(61)"))
    found = record_offset(offset_folder, read_record(header))
    assert found.offset.mean == pytest.approx((found.mean_count - 61) / gain, abs=0.5 / gain)
    header.write_text(header.read_text().replace("(61)", f"({found.mean_count})"))
    centred = record_offset(offset_folder, read_record(header))
    assert abs(centred.offset.mean) <= 0.5 / gain + 1e-3
    assert centred.mean_count == pytest.approx(found.mean_count, abs=1)


@pytest.mark.fast
@pytest.mark.parametrize(("text", "unit"), [("/mmHg", "mmHg"), ("", "mV")])
def test_the_unit_is_that_of_the_header(offset_folder, text, unit):
    header = offset_folder / "100.hea"
    header.write_text(header.read_text().replace("/mV", text))
    assert record_offset(offset_folder, read_record(header)).unit == unit


@pytest.mark.fast
def test_a_small_offset_is_named_without_a_warning():
    inspection = inspection_of(Offset(-65.0, 134.0), [record_of(SMALL)])
    assert described(inspection) == (
        "the mean is -65 (-0.325 mV), 0.485 times the deviation of 134; "
        "an offset is large from 3 times on"
    )
    assert offset_warnings(inspection) == []


@pytest.mark.fast
@pytest.mark.parametrize(
    ("units", "text"), [(["mV", "mV"], "3 (0.015 mV), "), (["mV", "mmHg"], "3, "), ([], "3, ")]
)
def test_a_mean_has_a_unit_if_all_records_have_the_same(units, text):
    records = [record_of(SMALL, unit=unit) for unit in units]
    assert described(inspection_of(SMALL, records)).startswith(f"the mean is {text}")


@pytest.mark.fast
def test_values_that_do_not_vary_have_no_ratio():
    assert "the mean is 9, and no value differs from it" in described(inspection_of(Offset(9, 0)))


@pytest.mark.fast
def test_samples_with_a_large_offset_are_to_be_centred():
    assert offset_warnings(inspection_of(SMALL)) == []
    (text,) = offset_warnings(inspection_of(LARGE))
    assert text == (
        "the values have an offset: the mean is 3, 3 times the deviation of 1; subtract it from "
        "all samples; one step can then move a logit by about 1, in place of 5"
    )


@pytest.mark.fast
@pytest.mark.parametrize(
    ("step", "centred_step", "warned"),
    [
        (SATURATED, 1, False),
        (ABOVE_SATURATED, 1, True),
        (50, SATURATED, True),
        (50, ABOVE_SATURATED, False),
    ],
)
@pytest.mark.parametrize("records", [[], [record_of(SMALL)]])
def test_a_small_offset_is_a_fault_if_nothing_saturates_without_it(
    step, centred_step, warned, records
):
    texts = offset_warnings(inspection_of(SMALL, records, step, centred_step))
    assert len(texts) == warned
    assert all(("move the baseline in each" in text) == bool(records) for text in texts)


@pytest.mark.fast
def test_records_with_a_large_offset_are_named_with_their_cure():
    records = [record_of(SMALL, "a"), record_of(Offset(4, 1), "b"), record_of(Offset(-5, 1), "c")]
    (text,) = offset_warnings(inspection_of(SMALL, records))
    assert text == (
        "2 of 3 records have an offset of more than 3 times their deviation: c (-5 mV), b (4 mV); "
        "move the baseline in the header to the mean of the signal, for c from 10 to 610 "
        "(examples/move_baselines.py does it in a copy); one step can then move a logit by about "
        "1, in place of 5"
    )


@pytest.mark.fast
@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more")])
def test_five_records_are_named(count, more):
    records = [record_of(Offset(9 - place, 1), f"r{place}") for place in range(count)]
    (text,) = offset_warnings(inspection_of(SMALL, records))
    assert f"r4 (5 mV){more}; move" in text


@pytest.mark.fast
def test_an_estimate_that_does_not_fall_is_not_promised_to():
    assert "one step" not in offset_warnings(inspection_of(LARGE, step=5, centred_step=5))[0]


@pytest.mark.fast
def test_examples_are_centred_together_or_each():
    examples = np.array([[1, 3], [5, 7]], np.float32)
    assert _centred(examples, each=False).tolist() == [[-3, -1], [1, 3]]
    assert _centred(examples, each=True).tolist() == [[-1, 1], [-1, 1]]


@pytest.mark.fast
def test_a_unit_of_a_stranger_is_cut_and_shown_as_text():
    record = record_of(LARGE, unit="\x1b" + 100 * "m")
    (text,) = offset_warnings(inspection_of(SMALL, [record]))
    assert "\x1b" not in text
    assert len(text) < 300


@pytest.mark.fast
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-99.94, "-99.9"),
        (100, "100"),
        (-1000.1, "-1,000"),
        (999_999, "999,999"),
        (1e6, "1e+06"),
    ],
)
def test_a_number_has_three_digits_or_is_whole(value, text):
    assert rounded(value) == text


def test_inspection_names_the_offset_of_records_and_the_example_removes_it(offset_folder):
    (offset_folder / "SHA256SUMS.txt").write_text("")
    process = run_module("bench", "data", "inspect", offset_folder)
    assert "offset       the mean is 1,000 (5 mV), 14.2 times the deviation" in process.stdout
    assert "warning: 2 of 2 records have an offset" in process.stdout
    assert "(4.87 mV)" in process.stdout
    assert "from 61 to 1035" in process.stdout
    target = moved(offset_folder)
    assert not (target / "SHA256SUMS.txt").exists()
    found = json.loads(run_module("bench", "data", "inspect", target, "--json").stdout)
    assert not [text for text in found["warnings"] if "offset" in text]
    assert found["record_offsets"]["100"]["baseline"] == 1035
    assert found["logit_step"] < SATURATED


def test_the_example_moves_baselines_and_nothing_else(offset_folder):
    with (offset_folder / "203.hea").open("a") as header:
        header.write("# a comment\n")
    before = Records(offset_folder).records
    after = Records(moved(offset_folder)).records
    for old, new in zip(before, after):
        assert replace(new.header, baseline=61) == old.header
        assert new.beats.tolist() == old.beats.tolist()
    assert "# a comment" in (offset_folder.parent / "moved" / "203.hea").read_text()


def test_the_example_leaves_a_record_that_it_cannot_read(offset_folder):
    (offset_folder / "203.dat").unlink()
    text = (offset_folder / "203.hea").read_text()
    target = moved(offset_folder)
    assert (target / "203.hea").read_text() == text
    assert "(1035)" in (target / "100.hea").read_text()


def test_the_example_ends_with_one_line_if_its_folders_do_not_fit(offset_folder):
    command = [sys.executable, ROOT / "examples/move_baselines.py", offset_folder, offset_folder]
    process = subprocess.run(command, text=True, capture_output=True)
    assert process.stderr == "name a folder of WFDB records, and a folder to be made\n"
