"""What everybody can see, hear and use: axe finds nothing, and nothing is wider than the window."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from watch import Watched

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
PHONE, DESK = 375, 1440


def sound(page: Watched, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    found = Axe().run(page.page, options={"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    assert found.violations_count == 0, f"{width} px\n{found.generate_report()}"


def fits(page: Watched, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    wider = """width => [...document.body.querySelectorAll("*")]
        .filter(element => element.getBoundingClientRect().right > width + 1)
        .map(element => element.outerHTML.slice(0, 100)).slice(0, 5)"""
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, (wide, page.page.evaluate(wider, width))
