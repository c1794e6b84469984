"""Read a report's HTML as a program would: tables as rows of text, figures as their marks, and what it links to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}
Attributes = dict[str, str | None]


@dataclass
class Element:
    """An element with what it holds, in order."""

    tag: str
    attributes: Attributes = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)

    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text() for each in self.inside)

    def all(self, tag: str) -> list[Element]:
        found = []
        for each in self.inside:
            if isinstance(each, Element):
                found += [each] * (each.tag == tag) + each.all(tag)
        return found

    def first(self, tag: str, **wanted: str) -> Element:
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return next(each for each in self.all(tag) if names.items() <= each.attributes.items())


class Reader(HTMLParser):
    """Builds the tree; of the end tags that HTML lets out, those of cells and rows."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th", "tr") and self.open[-1].tag in ("td", "th"):
            self.open.pop()
        if tag == "tr" and self.open[-1].tag == "tr":
            self.open.pop()
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1].tag in ("td", "th", "tr") and self.open[-1].tag != tag:
            self.open.pop()
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(page: str) -> Element:
    """Return the document; an end tag that closes nothing is an error."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert [element.tag for element in reader.open] == ["document"], "an element is left open"
    return reader.open[0]


def rows(table: Element) -> list[dict[str, str]]:
    """Return a table's body, a row a dictionary by the names in its head."""
    head, *body = [row.all("th") + row.all("td") for row in table.all("tr")]
    names = [cell.text().strip() for cell in head]
    return [dict(zip(names, [cell.text().strip() for cell in row], strict=True)) for row in body]
