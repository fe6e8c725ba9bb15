"""A page of HTML as tests look at it."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser


class HtmlPage(HTMLParser):
    """Addresses, pictures, anchors and words of a page; an error where tags do not close in order."""

    VOID = ("meta", "img", "br", "link", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.addresses, self.pictures, self.ids, self.words = [], [], [], [], []
        self.tags = Counter[str]()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes) -> None:
        found = dict(attributes)
        self.tags[tag] += 1
        self.addresses += [found[name] for name in ("src", "href", "action", "data") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "img":
            assert found["alt"]
            self.pictures.append(found["src"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words, with single spaces."""
        return " ".join(" ".join(self.words).split())
