"""Pictures of the page, kept for people to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

WIDTHS = {375: 812, 1440: 1000}


def shoot(page: Watched, shots: Path, name: str, whole: bool = False) -> None:
    file = shots / f"{name}.png"
    page.page.screenshot(path=file, full_page=whole, animations="disabled")
    assert file.stat().st_size > 5000, f"{file} is next to nothing"


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_as_it_looks(host: Host, new_page: OpenPage, shots: Path, theme: str, locale: str) -> None:
    page = new_page(host.agent, color_scheme=theme, locale=locale).open()
    page.has_points("cpu", 8)
    for width, height in WIDTHS.items():
        page.page.set_viewport_size({"width": width, "height": height})
        shoot(page, shots, f"overview-{width}-{theme}-{locale[:2]}", whole=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_series_as_it_looks(host: Host, new_page: OpenPage, shots: Path, width: int) -> None:
    page = new_page(host.agent, viewport={"width": width, "height": WIDTHS[width]}).open()
    page.open_row(page.find("mem.").first).scroll_into_view_if_needed()
    shoot(page, shots, f"series-{width}")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_outage_as_it_looks(host: Host, new_page: OpenPage, shots: Path, locale: str) -> None:
    page = new_page(host.agent, locale=locale).open()
    host.transfer.down()
    host.hbs.down()
    for code in ("transfer-down", "hbs-down"):
        expect(page.issue(code)).to_be_visible()
    for width, height in WIDTHS.items():
        page.page.set_viewport_size({"width": width, "height": height})
        shoot(page, shots, f"outage-{width}-{locale[:2]}")
    host.transfer.up()
    host.hbs.up()
    expect(page.issue("transfer-down")).to_have_count(0)
