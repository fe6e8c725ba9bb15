"""The report of a run or a comparison: one page of HTML that opens from disk, whole, with no network.

An application says what it found in sections of tables, sentences, bars and pictures; the page adds what it takes to do
it again, every number of the metrics, and links to the files beside it.  Everything is escaped, and the page's own policy
lets the browser load nothing and run nothing but the page's own script (zoom), known by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import numpy as np

from neurodeploy.costs import MODELLED, Costs, shown
from neurodeploy.recording import command_line, provenance, write_json

if TYPE_CHECKING:
    from neurodeploy.backends.base import Report

FILE = "report.html"
"""Name of the page in a run directory."""

MOST_SPIKES = 100_000
"""Drawn in one raster, some ten bytes each; the page says how many there are."""

MOST_BANDS = 60
"""Populations drawn in one raster; the page says how many there are."""

BAND_PX = (24, 72)
"""Height of a population's band: four pixels a neuron, within these."""

FEW_BANDS = 16
"""More populations than these have bands of the lower height, so that a page can be read past them."""

WIDE = 1.6
"""Width over height above which a picture is wide."""

GOOD = {"right", "equal", "agree"}
BAD = {"wrong", "part"}
"""Words of a verdict that have a colour."""


@dataclass(frozen=True)
class Words:
    """Sentences, one paragraph each."""

    kind: ClassVar[str] = "words"
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of text under `columns`; those named in `numbers` are set to the right, `verdict` has its colour."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()
    verdict: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Bars:
    """Counts by name, as a histogram that lies on its side."""

    kind: ClassVar[str] = "bars"
    caption: str
    counts: Mapping[str, int]

    @property
    def most(self) -> int:
        return max(self.counts.values(), default=0) or 1


@dataclass(frozen=True)
class Image:
    """A picture of the run directory, PNG or GIF, put into the page."""

    kind: ClassVar[str] = "image"
    path: Path
    alt: str

    @property
    def kind_of_file(self) -> str:
        return self.path.suffix.removeprefix(".")

    @property
    def wide(self) -> bool:
        """Whether it has several panels beside each other, which a phone shows larger than its width."""
        from PIL import Image as Picture

        with Picture.open(self.path) as picture:
            return picture.width > WIDE * picture.height

    @property
    def data(self) -> str:
        return base64.b64encode(self.path.read_bytes()).decode()


@dataclass(frozen=True)
class Band:
    """Spikes of one population: name of the series -> times in ms and neuron numbers."""

    label: str
    size: int
    series: Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Shade:
    """A span of time with a name, ms; `look` is ``learn``, ``recall`` or ``wrong``."""

    begin: float
    end: float
    look: str
    title: str


@dataclass(frozen=True)
class Raster:
    """Spikes over time, a band for each population; the script of the page zooms into it.

    Attributes
    ----------
    caption : str
    bands : sequence of Band
    duration : float
        ms.
    series : dict of str to str
        What the series are called in the legend; their order is that of the colours.  A single one has no legend.
    shades : sequence of Shade
    marks : dict of str to float
        Moments, ms.
    """

    kind: ClassVar[str] = "raster"
    caption: str
    bands: Sequence[Band]
    duration: float
    series: Mapping[str, str]
    shades: Sequence[Shade] = ()
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> Sequence[Band]:
        return self.bands[:MOST_BANDS]

    @property
    def heights(self) -> list[int]:
        """Of the bands, px."""
        least, most = BAND_PX if len(self.shown) <= FEW_BANDS else (BAND_PX[0], BAND_PX[0])
        return [min(max(4 * band.size, least), most) for band in self.shown]

    @property
    def height(self) -> int:
        return sum(self.heights)

    @property
    def end(self) -> float:
        """ms up to which spikes are drawn: all of them, or :data:`MOST_SPIKES`."""
        times = [times for band in self.shown for times, _ in band.series.values()]
        count = sum(map(len, times))
        if count <= MOST_SPIKES:
            return self.duration
        return float(np.partition(np.concatenate(times), MOST_SPIKES)[MOST_SPIKES])

    @property
    def left_out(self) -> str:
        """What is not drawn, in words."""
        words = []
        if len(self.bands) > MOST_BANDS:
            words.append(f"{MOST_BANDS} of {len(self.bands)} populations are drawn")
        if self.end < self.duration:
            words.append(
                f"the first {self.end:g} of {self.duration:g} ms are drawn, with {MOST_SPIKES:,} spikes"
            )
        return "; ".join(words)

    @property
    def tops(self) -> list[int]:
        """Where the bands begin, px, and where the last ends."""
        return [0, *np.cumsum(self.heights).tolist()]

    @property
    def paths(self) -> Iterator[tuple[int, str]]:
        """Number of the series, and an SVG path with a stroke for each of its spikes."""
        end, numbers = self.end, {name: number for number, name in enumerate(self.series)}
        whole = end == self.duration
        for top, height, band in zip(self.tops, self.heights, self.shown, strict=False):
            pitch = (height - 4) / band.size
            tall = max(pitch * 0.9, 1.5)
            for name, (times, neurons) in band.series.items():
                shown = times <= end if whole else times < end
                heights = (top + 2 + pitch * neurons[shown]).tolist()
                strokes = [
                    f"M{time:.9g} {y:.5g}v{tall:.3g}"
                    for time, y in zip(times[shown].tolist(), heights, strict=True)
                ]
                if strokes:
                    yield numbers[name], "".join(strokes)

    @property
    def ticks(self) -> list[tuple[str, float]]:
        """Words and places (%) of the axis before anything is zoomed."""
        end = self.end or 1.0
        rough = end / 5
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
        return [(f"{k * step:g}", 100 * k * step / end) for k in range(int(end / step + 1e-9) + 1)]


Block = Words | Table | Bars | Image | Raster


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block]


@dataclass
class Page:
    """What was found, and what found it.

    Attributes
    ----------
    title : str
    verdict : str
        A few words, or nothing.
    good : bool or None
        What colour the verdict has.
    lead : str
        What a reader must know first: what executed it, above all.
    sections : list of Section
    run : dict
        As ``run.json`` has it.
    metrics : dict
        As ``metrics.json`` has it; all of it is on the page.
    """

    title: str
    verdict: str
    good: bool | None
    lead: str
    sections: list[Section]
    run: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        return shlex.join(self.run["command"])

    @property
    def facts(self) -> list[tuple[str, str]]:
        return rows({name: value for name, value in self.run.items() if name != "command"})

    @property
    def numbers(self) -> list[tuple[str, str]]:
        return rows(self.metrics)

    def render(self, files: Sequence[str] = ()) -> str:
        """The page; `files` lie beside it and are linked."""
        import jinja2
        from markupsafe import Markup

        here = Path(__file__).parent
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(here),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        script = (here / "page.js").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        return environment.get_template("page.html.jinja").render(
            page=self,
            files=[(name, quote(name)) for name in files],
            script=Markup(script),
            script_hash=digest,
            looks={**dict.fromkeys(GOOD, "pass"), **dict.fromkeys(BAD, "fail")},
        )

    def write(self, folder: Path) -> None:
        """Write ``report.html`` into `folder`, with links to the files that are there."""
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        (folder / FILE).write_text(self.render(files), encoding="utf-8")


def page_of_pictures(
    title: str,
    verdict: str,
    metrics: Mapping[str, Any],
    run: Mapping[str, Any],
    folder: Path,
    costs: Costs | None = None,
    found: Sequence[Section] = (),
) -> Page:
    """The page of a run that says all it has to say in what it `found`, the pictures of its folder, its metrics and its costs."""
    target = f" ({run['backend']}, {run['rules']} rules)" if run.get("rules") else ""
    sections = [*found]
    sections += [
        Section(path.stem.replace("-", " ").capitalize(), [Image(path, path.stem)])
        for path in sorted([*folder.glob("*.png"), *folder.glob("*.gif")])
    ]
    if "changes" in metrics:
        sections.append(changes_and_warnings(metrics["changes"], metrics.get("warnings", ())))
    if costs is not None:
        sections.append(cost_section(costs))
    return Page(
        title=title,
        verdict=verdict,
        good=None,
        lead=f"Executed by: {run['executed_by']}{target}.",
        sections=sections,
        run=run,
        metrics=metrics,
    )


def leave_run(
    folder: Path,
    title: str,
    verdict: str,
    metrics: dict[str, Any],
    costs: Costs | None = None,
    found: Sequence[Section] = (),
    **facts: Any,
) -> None:
    """Write what every run of a model leaves: ``metrics.json``, ``run.json`` (the command and `facts`), and its page.

    `costs` are the target's, and join the `metrics`; what was `found` opens the page, before the folder's pictures.
    """
    run = provenance(command_line(), **facts)
    if costs is not None:
        metrics["costs"] = costs.data
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "run.json", run)
    page_of_pictures(title, verdict, metrics, run, folder, costs, found).write(folder)


def changes_and_warnings(changes: Sequence[str], warnings: Sequence[str] = ()) -> Section:
    """What was done to the model on the way to its target, and what its user should know."""
    told = [f"Changed: {change}" for change in changes] or ["Changed: nothing."]
    return Section("Changes and warnings", [Words([*told, *(f"Note: {warning}" for warning in warnings)])])


def cost_section(costs: Costs) -> Section:
    """What a run takes of the target's silicon by published constants, and what that rests on."""
    rows = [(row.quantity, *shown(row)) for row in costs.rows]
    columns = ("what", "at least", "likely", "at most", "unit")
    table = Table(columns, rows, numbers=frozenset(columns[1:4]))
    return Section(
        f"Costs, {MODELLED}: not measured",
        [table, Words([f"{note[:1].upper()}{note[1:]}." for note in costs.notes])],
    )


def mapped_section(facts: Mapping[str, Any], which: str = "") -> Section:
    """Where a model went that was mapped and not run: `facts` of the report of a machine that only maps."""
    rows = [
        (
            str(vertex["population"] or vertex["vertex"]),
            "{},{}".format(*vertex["chip"]),
            str(vertex["core"]),
            f"{vertex['sdram_bytes']:,}",
            " ".join(f"{key}/{mask}" for key, mask in vertex["keys"]),
        )
        for vertex in facts["mapping"]
    ]
    total = sum(vertex["sdram_bytes"] for vertex in facts["mapping"])
    columns = ("population", "chip", "core", "SDRAM, bytes", "keys")
    words = f"It fits: {facts['cores']} cores on {facts['chips']} chips, {total:,} bytes of SDRAM. Nothing was run."
    return Section(
        f"Mapped by sPyNNaker{which}",
        [Words([words]), Table(columns, rows, frozenset({"core", "SDRAM, bytes"}))],
    )


def numbers_sections(report: Report) -> list[Section]:
    """How far a chip's numbers are off, where `report` says it."""
    quantisation = report.quantisation
    if quantisation is None:
        return []
    return [Section(f"Numbers on {quantisation.chip}", [weight_errors(quantisation.weight_errors())])]


def weight_errors(errors: np.ndarray) -> Bars:
    """A histogram of the relative errors of weights that are not 0; those that became 0 have an error of 1."""
    edges = {"exact": 0.0, "up to 0.01 %": 1e-4, "up to 0.1 %": 1e-3, "up to 1 %": 1e-2, "up to 10 %": 1e-1}
    names = [*edges, "more than 10 %"]
    places = np.searchsorted(list(edges.values()), errors, side="left")
    counts = np.bincount(places, minlength=len(names)).tolist()
    return Bars(
        "Weights that are not 0 when the run begins, by how far the chip's number is off",
        dict(zip(names, counts, strict=True)),
    )


def rows(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested data as rows of a table: the way to a value, and the value; costs, which have a table of their own, are left out."""
    if isinstance(value, Mapping) and value.get("kind") == MODELLED:
        return []
    if isinstance(value, Mapping):
        return [row for key, each in value.items() for row in rows(each, f"{name} · {key}" if name else key)]
    if isinstance(value, (list, tuple)) and any(isinstance(each, (Mapping, list, tuple)) for each in value):
        return [row for number, each in enumerate(value) for row in rows(each, f"{name} · {number}")]
    return [(name, said(value))]


def said(value: Any) -> str:
    """A value in words: whole numbers whole, others with six digits."""
    if value is None or value == "" or (isinstance(value, (list, tuple)) and not value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(said(each) for each in value)
    return str(value)
