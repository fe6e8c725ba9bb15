"""The report of a run and of a comparison: whole, true, escaped, without network, and alive in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_cam
from html_page import HtmlPage
from test_comparison import delay, network, traces

from neurodeploy.backends import registry
from neurodeploy.backends.base import Report
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.cam import experiments
from neurodeploy.cam.application import Outcome, describe, draw, metrics
from neurodeploy.cam.decoding import decode
from neurodeploy.cam.loihi import circuit_for
from neurodeploy.cam.page import page as memory_page
from neurodeploy.comparison.answers import Answer, Answers
from neurodeploy.comparison.application import facts
from neurodeploy.comparison.page import page as comparison_page
from neurodeploy.comparison.pairs import compare_sides
from neurodeploy.costs import Costs
from neurodeploy.recording import Recording, plain, provenance, write_json
from neurodeploy.report import page as pages
from neurodeploy.report.page import (
    Band,
    Page,
    Raster,
    Section,
    Shade,
    Table,
    Words,
    page_of_pictures,
    weight_errors,
)

HOSTILE = "</script></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


def spikes(count: int, duration: float = 100.0, neurons: int = 5) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    return np.sort(draws.uniform(0, duration, count)), draws.integers(0, neurons, count)


def raster(bands: list[Band] | None = None, **options: Any) -> Raster:
    return Raster("spikes", bands or [Band("a", 5, {"all": spikes(40)})], 100.0, {"all": "all"}, **options)


def strokes(text: str) -> int:
    return sum(path.count("M") for path in re.findall(r'class="spikes s\d" d="([^"]*)"', text))


def sample(*sections: Section, **changes: Any) -> Page:
    run = provenance(["neurodeploy", "run", "a model"], executed_by="float", seed=3, network_sha256="ab" * 32)
    given = {"title": "A model", "verdict": "fine", "good": True, "lead": "Executed by: float."}
    return Page(**{**given, "sections": list(sections), "run": run, **changes})


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def assert_whole_and_closed(text: str, files: set[str] = frozenset()) -> HtmlPage:
    """Tags close in order, nothing is loaded, one script runs, and the page's policy knows it by its hash."""
    page = HtmlPage(text)
    assert all(address.startswith("data:image/png;base64,") or address in files for address in page.addresses)
    assert not re.search(r"https?:|url\(|@import|\bsrcset\b|\bon\w+=[\"']", text)
    assert page.tags["script"] == 1 and page.tags["link"] == page.tags["iframe"] == 0
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    )
    return page


def assert_every_number(page: HtmlPage, data: dict[str, Any]) -> None:
    """Whole numbers as they are, others to six digits."""
    told = page.text.replace(",", " ").split()
    words = set(told)
    fractions = np.array([float(word) for word in words if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", word)])
    for value in leaves(json.loads(json.dumps(data, default=plain))):
        if isinstance(value, float) and value != int(value):
            assert np.isclose(fractions, value, rtol=1e-5, atol=0).any(), value
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            assert f"{value:g}" in words or str(value) in words, value


# --------------------------------------------------------------------------------------------------- parts


def test_whatever_a_name_is_it_stays_a_name() -> None:
    page = sample(
        Section(HOSTILE, [Words([HOSTILE]), Table([HOSTILE], [[HOSTILE]], caption=HOSTILE)]),
        Section(
            "spikes",
            [raster([Band(HOSTILE, 5, {"all": spikes(3)})], shades=[Shade(0, 5, "learn", HOSTILE)])],
        ),
        title=HOSTILE,
        verdict=HOSTILE,
        lead=HOSTILE,
        metrics={HOSTILE: HOSTILE},
    )
    page.run = {**page.run, "command": ["neurodeploy", HOSTILE], HOSTILE: [HOSTILE]}
    text = page.render([HOSTILE.replace("/", "-")])
    whole = HtmlPage(text)
    assert whole.tags["script"] == 1 and whole.tags["img"] == 0
    assert "<script>alert" not in text and "<img" not in text
    assert whole.text.count("alert(1)") >= 12
    assert all(re.fullmatch(r"[\w.%~-]+", address) for address in whole.addresses)


def test_every_spike_is_a_stroke_at_its_time() -> None:
    times, neurons = np.array([0.0, 12.5, 1234567.25]), np.array([0, 4, 2])
    one = Raster("x", [Band("a", 5, {"all": (times, neurons)})], 2e6, {"all": "all"})
    ((number, path),) = one.paths
    found = re.findall(r"M([\d.e+]+) ([\d.]+)v", path)
    assert number == 0 and [float(time) for time, _ in found] == times.tolist()
    heights = [float(height) for _, height in found]
    assert heights[0] < heights[2] < heights[1] < one.height


def test_many_populations_are_drawn_lower_so_that_a_page_can_be_read_past_them() -> None:
    def drawn(count: int) -> list[int]:
        bands = [Band(str(number), 100, {}) for number in range(count)]
        return Raster("x", bands, 1.0, {"all": "all"}).heights

    assert drawn(12) == [72] * 12 and drawn(36) == [24] * 36


def test_what_is_not_drawn_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_SPIKES", 100)
    monkeypatch.setattr(pages, "MOST_BANDS", 3)
    bands = [Band(f"p{k}", 5, {"all": spikes(100)}) for k in range(4)]
    one = raster(bands)
    assert 0 < one.end < 100 and len(one.shown) == 3
    text = sample(Section("spikes", [one])).render()
    assert 90 <= strokes(text) <= 100
    told = HtmlPage(text).text
    assert "3 of 4 populations are drawn" in told and f"the first {one.end:g} of 100 ms are drawn" in told
    whole = raster([Band("a", 5, {"all": spikes(100)})])
    assert whole.left_out == "" and strokes(sample(Section("spikes", [whole])).render()) == 100


def test_silence_is_a_raster_too() -> None:
    nothing = (np.empty(0), np.empty(0, dtype=int))
    text = sample(Section("spikes", [raster([Band("a", 1, {"all": nothing})])])).render()
    assert strokes(text) == 0 and HtmlPage(text).tags["svg"] == 1


@pytest.mark.parametrize("end", [0.5, 7.0, 90.0, 851.0, 1e5])
def test_the_axis_has_some_round_numbers_from_0_on(end: float) -> None:
    ticks = Raster("x", [Band("a", 1, {})], end, {}).ticks
    assert 3 <= len(ticks) <= 6 and ticks[0] == ("0", 0.0)
    assert all(float(words) == pytest.approx(place * end / 100) for words, place in ticks)
    assert all(place <= 100 for _, place in ticks)


def test_the_histogram_has_every_weight_in_its_bin() -> None:
    bars = weight_errors(np.array([0, 0, 5e-5, 1e-4, 2e-4, 0.01, 0.05, 0.1, 0.11, 1.0]))
    assert list(bars.counts.values()) == [2, 2, 1, 1, 2, 2]


# ------------------------------------------------------------------------------------------------ the pages


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the functional test as the independent account of the memory gives it, lowered for a Loihi beside."""
    folder = tmp_path_factory.mktemp("memory")
    experiment = experiments.experiment("functional")
    network = describe(experiment, registry.load("brian2"))
    given = reference_cam.simulate(experiment)
    found = Recording(
        "float",
        1.0,
        experiment.duration_ms,
        {label: tuple(map(np.asarray, columns)) for label, columns in given.spikes.items()},
        {one.label: one.weight for one in network.projections if one.plasticity is not None},
    )
    report = Report(wall={"build": 0.03125, "compile": 0.0, "run": 1 / 3}, changes=["a thing was rounded"])
    report.facts = {"rules": "spinnaker", "engine": "cpp", "compiled": False}
    report.quantisation = lower(describe(experiment, registry.load("brian2"), "loihi2")).report
    outcome = Outcome(
        experiment, decode(experiment, found.ticks()), found, report, network, circuit_for("spinnaker")
    )
    draw(outcome, folder)
    data = metrics(outcome, "brian2")
    run = provenance(["neurodeploy", "run", "cam"], executed_by="float", seed=7)
    write_json(folder / "metrics.json", data)
    memory_page(outcome, data, run, Costs(), folder).write(folder)
    return folder


def test_the_page_of_the_memory_has_every_number_and_every_spike(memory: Path) -> None:
    text = (memory / "report.html").read_text()
    data = json.loads((memory / "metrics.json").read_text())
    page = assert_whole_and_closed(text, {"metrics.json", "raster.png", "weights.png"})
    assert_every_number(page, data)
    assert strokes(text) == data["spikes"]["all"] == 322
    assert len(page.pictures) == 1
    assert base64.b64decode(page.pictures[0].split(",")[1]) == (memory / "weights.png").read_bytes()
    for words in ("9 of 9 answers right", "Executed by: float", "learn 3 = {1,3,4,8}", "neurodeploy run cam"):
        assert words in page.text
    assert "Changed: a thing was rounded" in page.text
    for warning in data["warnings"]:
        assert f"Note: {warning}" in page.text
    assert "Numbers on loihi2" in page.text and text.count('class="bar"') == 6
    assert text.count('class="shade learn"') == 4 and text.count('class="shade recall"') == 5


def test_a_run_that_has_pictures_and_metrics_alone_has_a_page_of_these(memory: Path) -> None:
    data = {"accuracy": 0.9588, "weights": {HOSTILE: [1.25e-7, 3]}, "changes": ["cut"], "warnings": ["quiet"]}
    run = provenance(["neurodeploy", "run", "lsm"], executed_by="float", seed=0)
    page = assert_whole_and_closed(page_of_pictures("Liquid", "95.88 % right", data, run, memory).render())
    assert_every_number(page, data)
    assert len(page.pictures) == 2
    for words in (
        "Liquid: 95.88 % right",
        "Executed by: float",
        "Changed: cut",
        "Note: quiet",
        "Raster",
        "Weights",
    ):
        assert words in page.text
    data.pop("changes")
    assert "Changed" not in page_of_pictures("Liquid", "", data, run, memory).render()


@pytest.fixture(scope="module")
def comparison() -> tuple[dict[str, Any], str]:
    other = network()
    delay(other)
    sides = [traces(network(), {(1, 0), (9, 1)}), traces(other, {(4, 0), (9, 1)}, rules="ideal")]
    pair = compare_sides(*sides)
    said = [
        Answers(
            f"{right} of 2 right",
            [Answer("movie 0", "up", "up", True), Answer("movie 1", given, "up", right > 1)],
        )
        for given, right in (("up", 2), (HOSTILE, 1))
    ]
    answers = {side.side.name: one for side, one in zip(sides, said, strict=True)}
    data = facts("model", sides, [pair], answers, 0.0, ["pruned"])
    data["sides"][0]["changes"] = [HOSTILE]
    data["pairs"][0]["model_differences"].append({"kind": "delay", "words": HOSTILE})
    return data, comparison_page(data, [pair], provenance(["neurodeploy", "compare"], seed=0)).render()


def test_the_page_of_a_comparison_says_where_and_why(comparison: tuple[dict[str, Any], str]) -> None:
    data, text = comparison
    page = assert_whole_and_closed(text)
    (pair,) = data["pairs"]
    where = pair["first_divergence"]
    for words in (
        "compared: the sides part",
        f"First divergence: '{where['population']}', neuron {where['neuron']}, at {where['time_ms']:g} ms",
        f"Class: {pair['cause']}",
        HOSTILE,
        "Changed: for every side: pruned",
        "1 of 2 right",
        "Answers: 1 of 2 differ, first movie 1: up and",
        f"movie 1 up up {HOSTILE} (wrong) part movie 0 up up up equal",
        *(side["name"] for side in data["sides"]),
        *(one["words"] for one in pair["model_differences"]),
        *(f"{one['decides']} {one['class']} {one['differing']}" for one in pair["switched"]),
    ):
        assert words in page.text, words
    for one in pair["populations"]:
        assert f"{one['label']} {one['first']} {one['second']} {one['shift']} {one['differing']}" in page.text
    assert strokes(text) == sum(one["shared"] + one["differing"] for one in pair["populations"])


# ------------------------------------------------------------------------------------------------ a browser

LOOK = """<script>
const area = document.querySelector(".area"), box = area.getBoundingClientRect(), root = document.documentElement;
const view = () => area.querySelector("svg").getAttribute("viewBox").split(" ").map(Number);
const at = (share) => ({clientX: box.left + share * box.width, bubbles: true, cancelable: true});
const move = (type, share) => area.dispatchEvent(new PointerEvent(type, {button: 0, pointerId: 1, ...at(share)}));
area.setPointerCapture = () => {};
const seen = {width: innerWidth, room: root.clientWidth, wide: root.scrollWidth, whole: view()};
seen.tools = !document.querySelector(".tools").hidden;
seen.ticks = document.querySelectorAll(".axis span").length;
for (const [type, share] of [["pointerdown", 0.2], ["pointermove", 0.5], ["pointerup", 0.6]]) move(type, share);
seen.dragged = view();
area.dispatchEvent(new WheelEvent("wheel", {deltaY: -1, ctrlKey: true, ...at(0.5)}));
seen.wheeled = view();
document.querySelector("[data-act=whole]").click();
seen.again = view();
document.title = JSON.stringify(seen);
</script></body>"""
"""What a reader's hand does, and what is on the screen then."""


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser_it_fits_zooms_and_has_no_error(memory: Path, tmp_path: Path, width: int) -> None:
    text = (memory / "report.html").read_text()

    def browse(page: str, *options: str) -> tuple[str, str]:
        file = tmp_path / "page.html"
        file.write_text(page)
        given = [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *options, file.as_uri()]
        answer = subprocess.run(
            [str(BROWSER), *given], capture_output=True, text=True, timeout=120, check=True
        )
        return answer.stdout, answer.stderr

    # As it is: the policy lets its own script run, and nothing else.
    found, log = browse(
        text.replace("</body>", "<script>document.title = 'broken in'</script></body>"), "--dump-dom"
    )
    assert "broken in</title>" not in found and '<div class="tools">' in found
    assert log.count("CONSOLE") == log.count("violates the following Content Security Policy") == 1
    # In a frame of that width, for a window of Chromium is never narrower than 500 pixels; without the policy, to look inside.
    frame = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", LOOK)
    outer = (
        f"<iframe style='border: 0; width: {width}px; height: 900px' srcdoc='"
        + frame.replace("&", "&amp;").replace("'", "&#39;")
        + "' onload='document.title = this.contentDocument.title'></iframe>"
    )
    found, log = browse(f"<!doctype html><title></title>{outer}", "--dump-dom", "--window-size=1300,1000")
    assert "CONSOLE" not in log
    seen = json.loads(re.search(r"<title>(.*?)</title>", found).group(1).replace("&quot;", '"'))
    assert seen["width"] == width
    assert seen["wide"] == seen["room"], "the page itself never scrolls sideways"
    assert seen["tools"] and seen["ticks"] >= 3
    assert seen["whole"] == seen["again"] == [0, 0, 90, seen["whole"][3]]
    begin, _, span, _ = seen["dragged"]
    assert begin == pytest.approx(18, abs=0.5) and span == pytest.approx(36, abs=0.5)
    assert seen["wheeled"][2] == pytest.approx(0.8 * span)
