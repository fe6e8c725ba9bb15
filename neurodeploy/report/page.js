"use strict";
/* Zoom of the rasters: drag over a span, Ctrl and the wheel, buttons, or the keys + - 0 and the arrows. */
for (const raster of document.querySelectorAll(".raster")) {
  const svg = raster.querySelector("svg");
  const area = raster.querySelector(".area");
  const axis = raster.querySelector(".axis");
  const chosen = raster.querySelector(".chosen");
  const [, , end, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let from = 0;
  let width = end;

  function show(newFrom, newWidth) {
    width = Math.min(Math.max(newWidth, end / 1e5), end);
    from = Math.min(Math.max(newFrom, 0), end - width);
    svg.setAttribute("viewBox", `${from} 0 ${width} ${height}`);
    const rough = width / Math.max(2, Math.min(10, area.clientWidth / 48));
    const size = 10 ** Math.floor(Math.log10(rough));
    const step = size * [1, 2, 5, 10].find((factor) => size * factor >= rough * 0.999);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let k = Math.ceil(from / step - 1e-9); k * step <= from + width * (1 + 1e-9); k += 1) {
      const tick = document.createElement("span");
      tick.textContent = (k * step).toFixed(digits);
      tick.style.left = `${(100 * (k * step - from)) / width}%`;
      ticks.push(tick);
    }
    axis.replaceChildren(...ticks);
  }

  const zoom = (factor, at) => show(from + at * width * (1 - factor), width * factor);
  const acts = {
    in: () => zoom(0.5, 0.5),
    out: () => zoom(2, 0.5),
    left: () => show(from - width / 4, width),
    right: () => show(from + width / 4, width),
    whole: () => show(0, end),
  };
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "whole" };

  raster.querySelector(".tools").hidden = false;
  for (const button of raster.querySelectorAll("button")) {
    button.addEventListener("click", acts[button.dataset.act]);
  }
  area.tabIndex = 0;
  area.addEventListener("keydown", (event) => {
    if (event.key in keys && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      acts[keys[event.key]]();
    }
  });
  const place = (event) => {
    const box = area.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  area.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(event.deltaY < 0 ? 0.8 : 1.25, place(event));
      }
    },
    { passive: false },
  );
  let start = null;
  area.addEventListener("pointerdown", (event) => {
    if (event.button === 0) {
      start = place(event);
      area.setPointerCapture(event.pointerId);
    }
  });
  area.addEventListener("pointermove", (event) => {
    if (start !== null) {
      const now = place(event);
      chosen.hidden = false;
      chosen.style.left = `${100 * Math.min(start, now)}%`;
      chosen.style.width = `${100 * Math.abs(now - start)}%`;
    }
  });
  area.addEventListener("pointerup", (event) => {
    const now = place(event);
    if (start !== null && Math.abs(now - start) > 0.01) {
      show(from + width * Math.min(start, now), width * Math.abs(now - start));
    }
    start = null;
    chosen.hidden = true;
  });
  area.addEventListener("pointercancel", () => {
    start = null;
    chosen.hidden = true;
  });
  area.addEventListener("dblclick", acts.whole);
  window.addEventListener("resize", () => show(from, width));
  show(0, end);
}
