"""Pictures of the page, kept for people to look at."""

from __future__ import annotations

from pathlib import Path

from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

WIDTHS = {375: 812, 1440: 1000}


def shoot(page: Watched, shots: Path, name: str, whole: bool = False) -> None:
    file = shots / f"{name}.png"
    page.page.screenshot(path=file, full_page=whole, animations="disabled")
    assert file.stat().st_size > 5000, f"{file} is next to nothing"


def test_the_page_as_it_looks(host: Host, new_page: OpenPage, shots: Path) -> None:
    page = new_page(host.agent).open()
    page.has_points("cpu", 8)
    for theme in ("light", "dark"):
        page.page.emulate_media(color_scheme=theme)
        expect(page.page.locator("html")).to_have_attribute("data-theme", theme)
        for _ in range(2):
            everywhere(page, shots, f"overview-{theme}", whole=True)
            page.page.locator("#lang").click()


def everywhere(page: Watched, shots: Path, name: str, whole: bool = False) -> None:
    lang = (page.page.locator("html").get_attribute("lang") or "")[:2]
    for width, height in WIDTHS.items():
        page.page.set_viewport_size({"width": width, "height": height})
        shoot(page, shots, f"{name}-{width}-{lang}", whole=whole)


def test_a_series_as_it_looks(host: Host, new_page: OpenPage, shots: Path) -> None:
    page = new_page(host.agent).open()
    page.open_row(page.find("mem.").first).scroll_into_view_if_needed()
    everywhere(page, shots, "series")


def test_an_outage_as_it_looks(host: Host, new_page: OpenPage, shots: Path) -> None:
    page = new_page(host.agent).open()
    host.transfer.down()
    host.hbs.down()
    for code in ("transfer-down", "hbs-down"):
        expect(page.issue(code)).to_be_visible()
    for _ in range(2):
        everywhere(page, shots, "outage")
        page.page.locator("#lang").click()
    host.transfer.up()
    host.hbs.up()
    expect(page.issue("transfer-down")).to_have_count(0)
