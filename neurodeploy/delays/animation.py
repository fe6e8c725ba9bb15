"""The field of detected motions over time, on the events that it was detected in: an animated GIF of few colours.

ON events are light orange, OFF light violet; an arrow stands where one motion was detected more often than every other, points
along it and is as long as it is fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from PIL import Image, ImageDraw

from neurodeploy.delays.detections import Detections, winners
from neurodeploy.delays.events import OFF, ON, Events
from neurodeploy.delays.motions import Motions

COLOURS = {
    "paper": (255, 255, 255),
    "off": (216, 205, 233),
    "on": (253, 219, 175),
    "ink": (40, 40, 40),
    "motion": (31, 78, 121),
    "other motion": (179, 89, 0),
}
"""The palette; as in the still pictures, blue is the movie's own motion where it is known."""

SIDE = 384
"""Pixels that the longer side of a frame has at most, unless the sensor has more than that; it is shrunk then."""

MOST_FRAMES = 60
WINDOW_MS = 10
"""Detections of this long, or of the time from a frame to the next where that is longer, are in a frame."""

FILLED = 0.15
"""Events for each pixel that a frame shows at most, the latest ones: more would hide that anything moves."""

FRAME_MS = 120
"""How long a frame is shown."""

CAPTION = 14
"""Height of a line of text, pixels."""


@dataclass(frozen=True)
class Scene:
    """What is shown of one movie or recording, with the class of its motion where there is one."""

    events: Events
    detections: Detections
    title: str
    motion: int | None = None


def animate(motions: Motions, scenes: Sequence[Scene], stamp: str, path: str | PathLike[str]) -> None:
    """Write the scenes, one after the other, as one GIF; `stamp` says what executed them."""
    total = sum(scene.events.steps for scene in scenes)
    step = max(2, math.ceil(total / MOST_FRAMES))
    frames = []
    for scene in scenes:
        ends = np.arange(min(scene.events.steps, max(WINDOW_MS, step)), scene.events.steps + 1, step)
        frames += [_frame(motions, scene, int(end) - max(WINDOW_MS, step), int(end), stamp) for end in ends]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)


def _frame(motions: Motions, scene: Scene, start: int, end: int, stamp: str) -> Image.Image:
    events, names = scene.events, list(COLOURS)
    shrunk = math.ceil(max(events.height, events.width) / SIDE)
    height, width = math.ceil(events.height / shrunk), math.ceil(events.width / shrunk)
    zoom = max(1, SIDE // max(height, width))
    pixels = np.full((height, width), names.index("paper"), np.uint8)
    first, last = np.searchsorted(events.t, [max(start, 0), end])
    cut = last - round(FILLED * events.height * events.width)
    if cut > first:  # whole milliseconds alone
        first = np.searchsorted(events.t, min(events.t[cut - 1] + 1, end - 1))
    now = slice(first, last)
    for polarity, name in ((OFF, "off"), (ON, "on")):
        mine = events.p[now] == polarity
        pixels[events.y[now][mine] // shrunk, events.x[now][mine] // shrunk] = names.index(name)
    frame = Image.new("P", (width * zoom, height * zoom + 2 * CAPTION), names.index("paper"))
    frame.putpalette([part for colour in COLOURS.values() for part in colour])
    picture = Image.fromarray(pixels).resize((width * zoom, height * zoom), Image.Resampling.NEAREST)
    frame.paste(picture, (0, CAPTION))
    draw = ImageDraw.Draw(frame)
    draw.text((2, 1), f"{max(start, 0)} to {end} ms  {scene.title}", fill=names.index("ink"))
    draw.text((2, height * zoom + CAPTION + 1), stamp, fill=names.index("ink"))
    found = scene.detections.between(start, end)
    winner, fired = winners(found.field)
    spacing = min(np.diff(np.unique(axis)).min(initial=8) for axis in (found.row, found.column))
    velocity = motions.velocities / max(motions.speeds) * spacing * zoom / shrunk
    for place in np.flatnonzero(fired):
        motion = int(winner[place])
        known = scene.motion is None or motion == scene.motion
        middle = (np.array([found.row[place], found.column[place]]) + 0.5) * zoom / shrunk + (CAPTION, 0)
        _arrow(draw, middle, velocity[motion], names.index("motion" if known else "other motion"))
    return frame


def _arrow(draw: ImageDraw.ImageDraw, middle: np.ndarray, along: np.ndarray, colour: int) -> None:
    """A line through `middle` along (rows, columns), with a head of a third of its length."""
    tip, tail = middle + along / 2, middle - along / 2
    across = np.array([-along[1], along[0]])
    sides = [tip - along / 3 + side * across / 5 for side in (1, -1)]
    for start, end in ((tail, tip), (sides[0], tip), (sides[1], tip)):
        draw.line([start[1], start[0], end[1], end[0]], fill=colour, width=2)
