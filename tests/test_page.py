"""The page in a real browser: its first screen, folds, tables, colours, and print."""

import json

import pytest
from conftest import slow_after
from test_benchmark import open_report
from test_report import ENVIRONMENT, FROZEN_LOSS, RATES, SOUND, parity, write_measured
from timings import write_timings

from bench.durable import write_text
from bench.parity import STAGE_NAMES
from bench.parity.result import Difference
from bench.report.write import write_report
from bench.results.comparisons import StoredComparison, write_comparison

SCREENS = [(1280, 800), (390, 844)]
NAMES = ("lowlevel", "estimator", "keras")

each_screen = pytest.mark.parametrize(("width", "height"), SCREENS)
each_scheme = pytest.mark.parametrize("scheme", slow_after(1, ["light", "dark"]))

CONTRASTS = """() => {
    const light = rgb => {
        const part = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
        const [red, green, blue] = rgb.match(/[\\d.]+/g).slice(0, 3).map(v => part(v / 255))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const behind = one => {
        const color = getComputedStyle(one).backgroundColor
        const clear = /, 0\\)$|transparent/.test(color)
        return clear && one.parentElement ? behind(one.parentElement) : color
    }
    const texts = 'h1, h2, h3, p, td, th, summary, .headline, .matter, .legend b, button, li, small'
    return [...document.querySelectorAll(texts)].map(one => {
        const style = getComputedStyle(one)
        const [high, low] = [light(style.color), light(behind(one))].sort((a, b) => b - a)
        return [(high + 0.05) / (low + 0.05), one.outerHTML.slice(0, 80)]
    })
}"""
"""The contrast between each text and what is behind it, as WCAG 2 computes it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Writes the report of a run of three implementations on both datasets."""
    return written(tmp_path_factory.mktemp("whole"))


def written(folder, keras="rounding"):
    """Writes a run, in which the last stage of keras has a verdict, and its report."""
    for name in NAMES:
        for dataset in ("small", "large"):
            write_measured(folder, name, dataset, "logits", outputs=SOUND, final_loss=0.01)
            write_measured(folder, name, dataset, second_loss=0.25 * (name == "keras"))
    difference = Difference("accuracy", "[0.5]", "[0.25]", 100.0, 7.0)
    for dataset in ("small", "large"):
        rates = {**RATES, "estimator-default": RATES["lowlevel-default"]}
        write_timings(folder, rates, dataset, clocks=True)
        found = parity(keras, difference if keras == "different" else None)
        write_comparison(folder, StoredComparison("estimator", "lowlevel", dataset, parity("bit")))
        write_comparison(folder, StoredComparison("keras", "lowlevel", dataset, found))
    write_text(folder / "environment.json", json.dumps(ENVIRONMENT))
    write_report(folder)
    return folder


def set_scheme(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.wait_for_timeout(50)


@each_screen
@each_scheme
def test_three_pictures_are_on_the_first_screen(whole, browser, width, height, scheme):
    page, errors = open_report(browser, whole, width, height)
    set_scheme(page, scheme)
    figures = page.locator(".answer figure").all()
    assert len(figures) == 3
    for figure in figures:
        box = figure.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 130
        assert box["width"] >= 340
        assert figure.evaluate("one => one.scrollHeight <= one.clientHeight + 1")
    for place in (0, 2):
        drawn = figures[place].locator(".main-svg").first.bounding_box()
        figure = figures[place].bounding_box()
        assert drawn["height"] == pytest.approx(figure["height"], abs=2)
        assert drawn["width"] == pytest.approx(figure["width"], abs=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []


@each_screen
def test_each_answer_stands_over_its_picture_in_two_lines(whole, browser, width, height):
    page, _ = open_report(browser, whole, width, height)
    for place, question in enumerate(
        ("Why does it not train?", "Is it the same network?", "What does each API cost?")
    ):
        answer = page.locator(".answer").nth(place)
        assert answer.locator("h2").inner_text() == question
        headline, figure = answer.locator(".headline"), answer.locator("figure")
        lines = headline.evaluate(
            """one => { const range = document.createRange(); range.selectNodeContents(one)
            return new Set([...range.getClientRects()].map(line => line.top)).size }"""
        )
        assert 1 <= lines <= 2
        above, below = headline.bounding_box(), figure.bounding_box()
        assert above["y"] + above["height"] <= below["y"]


def test_the_first_picture_has_every_step_and_the_line_at_which_a_loss_freezes(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    figure = page.locator(".answer figure").first
    traces = figure.locator(".plotly-graph-div").evaluate(
        "plot => plot.data.filter(one => one.mode === 'lines' && one.name).map(one => "
        "[one.name, [...one.x], one.line.dash])"
    )
    steps = list(range(1, 9))
    assert traces == [["logits", steps, "solid"], ["activated", steps, "dash"]]
    lines = figure.locator(".plotly-graph-div").evaluate(
        "plot => plot.layout.shapes.map(s => s.y0)"
    )
    assert lines == [pytest.approx(FROZEN_LOSS)]
    named = figure.locator(".annotation-text").all_text_contents()
    assert named == ["ln(1+1/e) + error rate 0.50 = 0.8133"]
    told = figure.get_attribute("aria-label")
    assert told.startswith("Loss of large over training steps, seed 0. logits: from 0.5 to 7.5;")
    assert "Marked: ln(1+1/e) + error rate 0.50 = 0.8133." in told


def test_curves_of_the_same_network_are_one_line_in_a_band(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    bands = page.locator(".answer .plotly-graph-div").first.evaluate(
        "plot => plot.data.filter(one => one.fill === 'toself').map(one => [...one.y])"
    )
    assert len(bands) == 1  # Keras differs in the second step of activated outputs alone.
    assert max(bands[0][index] - bands[0][-1 - index] for index in range(8)) == pytest.approx(0.25)
    explained = page.locator(".answer details").first.text_content()
    assert "A curve is that of 3 implementations, which differ by 2.5e-01 at most." in explained
    captions = page.locator(".curves figcaption").all_inner_texts()
    assert captions == ["The 3 implementations give the same curve to the last digit."] * 8


def test_another_network_has_a_line_of_its_own_and_a_red_cell(tmp_path, browser):
    page, _ = open_report(browser, written(tmp_path, keras="different"), 1280, 800)
    names = page.locator(".curves .plotly-graph-div").first.evaluate(
        "plot => plot.data.filter(one => one.name).map(one => one.name)"
    )
    assert names == [
        "logits",
        "keras (not the same network), logits",
        "activated",
        "keras (not the same network), activated",
    ]
    assert page.locator(".grid td.different").all_inner_texts() == ["≠\nDIFFERENT"] * 2
    headline = page.locator(".headline").nth(1).inner_text()
    assert headline == "No: keras on small differs, first in metrics. 2 comparisons differ."


def test_the_grid_has_a_row_a_stage_and_says_each_verdict_in_words(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    assert page.locator(".grid tbody th").all_inner_texts() == list(STAGE_NAMES)
    assert page.locator(".grid tbody td").count() == 4 * 9
    last = page.locator(".grid tbody tr").last.locator("td .hidden").all_inner_texts()
    assert last == ["same to the bit", "same within rounding"] * 2
    heads = page.locator(".grid thead th").all_inner_texts()
    assert heads == ["small", "large", *["estimator", "keras"] * 2]


def test_the_third_picture_has_bars_with_intervals_and_the_floor_for_each_dataset(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    plot = page.locator(".answer .plotly-graph-div").last
    bars = plot.evaluate(
        "plot => plot.data.filter(one => one.type === 'bar').map(one => "
        "[one.name, one.xaxis ?? 'x', [...one.y], one.error_x.array.length])"
    )
    assert bars == [
        [profile, axis, list(names), len(names)]
        for axis in ("x", "x2")
        for profile, names in (("default", NAMES), ("tuned", ("lowlevel", "keras")))
    ]
    floors = plot.evaluate("plot => plot.layout.shapes.map(line => [line.xref, line.x0])")
    assert floors == [["x", 400], ["x2", 400]]


def test_a_table_is_sorted_by_a_press_and_by_the_keyboard(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    table = page.locator(".fold:has(h3:text-is('What does each API cost?')) table")
    header = table.locator("th", has_text="samples/s")

    def column(number):
        return table.locator(f"tbody td:nth-child({number})").all_inner_texts()

    unsorted, place = column(4), 4
    header.locator("button").click()
    rates = [float(text.split(" ")[0]) for text in column(place)]
    assert rates == sorted(rates)
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").press("Enter")
    rates = [float(text.split(" ")[0]) for text in column(place)]
    assert rates == sorted(rates, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    assert sorted(column(place)) == sorted(unsorted)
    table.locator("th button", has_text="tuned over default").click()
    shares = column(7)
    assert shares[-1] == "-"  # What was not measured comes last.
    assert shares[0] != "-"
    assert header.get_attribute("aria-sort") is None


def test_cards_and_tables_are_folded_with_the_keyboard(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    card = page.locator("details.card").first
    assert card.get_attribute("open") is None
    card.locator("summary").press("Enter")
    assert card.locator("p").is_visible()
    table = page.locator(".fold").first
    table.locator("summary").press("Enter")
    assert not table.locator("table").is_visible()


def test_on_a_phone_tables_scroll_inside_themselves_and_causes_are_whole(whole, browser):
    page, _ = open_report(browser, whole, 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.locator(".wide:has(th:has-text('gradient norm'))").first
    assert wide.evaluate("one => one.scrollWidth > one.clientWidth")
    assert wide.get_attribute("tabindex") == "0"
    for name in ("cause", "evidence (first cell)", "cure"):
        box = page.locator(f"td[data-name='{name}']").first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@each_screen
@each_scheme
def test_all_text_has_the_contrast_of_wcag_aa(whole, browser, width, height, scheme):
    page, _ = open_report(browser, whole, width, height)
    set_scheme(page, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for contrast, text in page.evaluate(CONTRASTS):
        assert contrast >= 4.5, text


def test_the_page_is_dark_where_the_system_is_and_its_pictures_too(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    seen = set()
    for scheme in ("light", "dark"):
        set_scheme(page, scheme)
        seen.add(
            (
                page.evaluate("getComputedStyle(document.body).backgroundColor"),
                page.evaluate("getComputedStyle(document.querySelector('.xtick text')).fill"),
            )
        )
    assert seen == {
        ("rgb(242, 244, 247)", "rgb(28, 39, 51)"),
        ("rgb(16, 22, 29)", "rgb(232, 237, 242)"),
    }


def test_headings_have_an_order_and_everything_drawn_has_a_name(whole, browser):
    page, _ = open_report(browser, whole, 1280, 800)
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert page.locator("[role=img]:not([aria-label])").count() == 0
    assert page.locator(".plotly-graph-div").count() == page.evaluate(
        "[...document.querySelectorAll('.plotly-graph-div')]"
        ".filter(one => one.closest('[role=img][aria-label]')).length"
    )


def test_on_paper_all_folds_are_open_and_pictures_fit(whole, browser, tmp_path):
    page, _ = open_report(browser, whole, 1900, 900)
    page.evaluate("""() => addEventListener('beforeprint', () => {
        window.folded = document.querySelectorAll('details:not([open])').length
        const pictures = [...document.querySelectorAll('.main-svg')]
        window.widest = Math.max(...pictures.map(one => one.clientWidth)) })""")
    before = page.locator("details[open]").count()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert page.evaluate("window.folded") == 0
    assert page.evaluate("window.widest") <= 640
    assert page.locator("details[open]").count() == before
