"""The chips' limits as a table, read from their records: for ``neurodeploy targets`` and for the documentation.

``python -m neurodeploy.report.chips`` prints what stands between the marks in ``docs/loihi.md``.
"""

from __future__ import annotations

from neurodeploy.chips.loihi import CHIPS, table

BEGIN = "<!-- printed by: python -m neurodeploy.report.chips -->"
END = "<!-- end -->"


def markdown() -> str:
    """Loihi's records as a table in Markdown, with sources."""
    titles = [chip.title for chip in CHIPS.values()]
    lines = [f"| | {' | '.join(titles)} | source |", "| --- |" + " --- |" * (len(titles) + 1)]
    for row in table():
        values = " | ".join(f"{row[name]:,}" for name in CHIPS)
        lines.append(f"| {row['meaning']} | {values} | {row['source']} |")
    return "\n".join([BEGIN, *lines, END])


if __name__ == "__main__":
    print(markdown())
