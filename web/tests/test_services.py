"""IIS and SQL Server of a made-up Windows host: each row and cell, in both languages, on a desk and on a phone."""

from __future__ import annotations

import pytest
from conftest import OpenPage
from host import Host
from made import STEP, Made
from playwright.sync_api import expect
from sound import DESK, PHONE, fits, sound
from watch import Watched

pytestmark = pytest.mark.linux("the page shows the same whatever the agent runs on")

GIB = 1024**3


@pytest.fixture
def made(host: Host) -> Made:
    """Two sites of which one is stopped, three pools in as many states, and two instances of which one is stopped."""
    made = Made(host.agent, "windows")

    def of(tag: str, thing: str, values: dict[str, float], unit: str = "1", kind: str = "GAUGE") -> None:
        for metric, value in values.items():
            steps = (0, value) if kind == "COUNTER" else (value,)
            made.add(metric, *steps, tags=f"{tag}={thing},idc=bj", unit=unit, kind=kind)

    for site, uptime, requests in (("shop", 7980, 90), ("<b>old</b>", 0, 0), ("_Total", 7980, 90)):
        of("site", site, {"iis.service.uptime": uptime}, "s")
        of("site", site, {"iis.requests.total": requests, "iis.errors.notfound": requests}, "requests", "COUNTER")
        of("site", site, {"iis.bytes.sent": 1024 * STEP, "iis.bytes.received": 90}, "B", "COUNTER")
        of("site", site, {"iis.connections": 12}, "connections")
    for pool, state in (("DefaultAppPool", 3), ("reports", 5), ("new", 2)):
        of("app_pool", pool, {"iis.app_pool.state": state, "iis.app_pool.workers": 2, "iis.app_pool.queue.size": 0})
        of("app_pool", pool, {"iis.app_pool.requests": 90}, "requests", "COUNTER")
    for instance, is_up in (("MSSQLSERVER", 1), ("BOOKS", 0)):
        of("instance", instance, {"mssql.up": is_up})
    of("instance", "MSSQLSERVER", {"mssql.uptime": 90000, "mssql.buffer.page_life_expectancy": 90}, "s")
    of("instance", "MSSQLSERVER", {"mssql.stats.batch_requests": 90}, "batches", "COUNTER")
    of("instance", "MSSQLSERVER", {"mssql.buffer.cache_hit_ratio": 99.5, "mssql.process.cpu.percent": 111}, "%")
    of("instance", "MSSQLSERVER", {"mssql.memory.total": 1.5 * GIB}, "B")
    return made


def table(page: Watched, title: str) -> dict[str, dict[str, str]]:
    """By the name in a row's head, and the title of a column."""
    box = page.page.locator(f"#{title}")
    titles = box.locator("thead th").all_inner_texts()
    rows = [row.locator("th, td").all_inner_texts() for row in box.locator("tbody tr").all()]
    shown = [[cell.replace("\u00a0", " ").strip() for cell in row] for row in rows]
    # A row may go while it is read.
    return {row[0]: dict(zip(titles[1:], row[1:], strict=True)) for row in shown if row}


def cell(page: Watched, title: str, name: str, column: str) -> str | None:
    return table(page, title).get(name, {}).get(column)


def has(cells: dict[str, str], wanted: dict[str, str]) -> bool:
    return {title: cells.get(title) for title in wanted} == wanted


def states(page: Watched, title: str) -> dict[str, str | None]:
    rows = page.page.locator(f"#{title} tbody tr").all()
    return {row.locator("th").inner_text(): row.get_attribute("data-state") for row in rows}


def test_sites_pools_and_instances_are_told_with_their_figures(made: Made, new_page: OpenPage, host: Host) -> None:
    page = made.open(new_page(host.agent))
    for part in ("#iis", "#sql"):
        expect(page.page.locator(part)).to_be_visible()
    # A rate is there once history has told the value before.
    shop = {"Requests": "1.5 /s", "404": "1.5 /s", "Connections": "12", "Sent": "1.00 KiB/s", "Received": "1.50 B/s"}
    page.until("rates of the sites", lambda: has(table(page, "iis-site").get("shop", {}), shop))
    sites = table(page, "iis-site")
    assert list(sites) == ["<b>old</b>", "shop", "_Total"], "all together come last"
    assert sites["shop"]["Up for"] == "2 h 13 min", sites
    assert sites["<b>old</b>"]["Up for"] == "stopped", sites
    pools = table(page, "iis-pool")
    assert {pool: cells["State"] for pool, cells in pools.items()} == {
        "DefaultAppPool": "running", "reports": "disabled", "new": "initialised",
    }  # fmt: skip
    assert has(pools["DefaultAppPool"], {"Requests": "1.5 /s", "Workers": "2", "Queue": "0"}), pools
    assert states(page, "iis-pool")["DefaultAppPool"] is None
    assert states(page, "iis-pool")["reports"] == "warn", "a pool that is disabled serves nobody"
    assert states(page, "iis-site") == {"<b>old</b>": "warn", "shop": None, "_Total": None}
    instances = table(page, "sql-instance")
    assert has(
        instances["MSSQLSERVER"],
        {"State": "running", "Batches": "1.5 /s", "Cache hits": "99.5 %", "Page life": "90 s", "Memory": "1.50 GiB"},
    ), instances
    assert instances["BOOKS"]["State"] == "stopped", instances
    assert not any(value for title, value in instances["BOOKS"].items() if title != "State"), instances
    assert states(page, "sql-instance") == {"BOOKS": "warn", "MSSQLSERVER": None}


def test_what_has_stopped_has_no_figures_of_before(made: Made, new_page: OpenPage, host: Host) -> None:
    page = made.open(new_page(host.agent))
    page.until("the rate", lambda: cell(page, "sql-instance", "MSSQLSERVER", "Batches") == "1.5 /s")
    (up,) = [id for id, row in made.rows.items() if row[1] == "mssql.up" and "MSSQLSERVER" in row[2]]
    made.later({up: 0}, 1200)
    page.asks_anew()
    page.until("the end", lambda: cell(page, "sql-instance", "MSSQLSERVER", "State") == "stopped")
    left = {title: cell for title, cell in table(page, "sql-instance")["MSSQLSERVER"].items() if cell}
    assert left == {"State": "stopped"}, left


def test_tables_of_services_are_sound_in_both_languages_and_themes(made: Made, new_page: OpenPage, host: Host) -> None:
    page = made.open(new_page(host.agent))
    page.search("there-is-no-such-series")
    for lang, theme, width in (("en", "light", DESK), ("zh-CN", "dark", PHONE)):
        expect(page.page.locator("html")).to_have_attribute("lang", lang)
        page.page.emulate_media(color_scheme=theme)
        expect(page.page.locator("html")).to_have_attribute("data-theme", theme)
        fits(page, width)
        sound(page, width)
        page.page.locator("#lang").click()
    page.page.locator("#lang").click()
    assert "已禁用" in page.page.locator("#iis-pool").inner_text()
