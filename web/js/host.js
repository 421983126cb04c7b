// Who this is, its volumes and processes, and what serves here: IIS, SQL Server.

import { $, attr, el, keyed, row, sentence, table, text } from "./dom.js";
import { bytes, duration, join, number, percent, perSecond, value as shown } from "./format.js";
import { t } from "./i18n.js";
import { points } from "./history.js";
import { isStale, now, of, seed, tagsOf, value, world } from "./store.js";

export function showIdentity() {
    const { endpoint, version, os, uptime, history, left_out: leftOut } = world.state;
    text($("endpoint"), endpoint || t("unnamed"));
    const up = value("sys.uptime");
    const system = os === "windows" ? "Windows" : os === "linux" ? "Linux" : os;
    text($("about"), [t("about", version, system, duration(uptime)), up === null ? "" : t("hostUp", duration(up))].filter(Boolean).join(" · "));
    const parts = [t("foot", join(bytes(history.bytes)), join(bytes(history.max_bytes)), number(history.series), number(history.points))];
    if (leftOut) parts.push(t("leftOut", number(leftOut)));
    text($("foot"), parts.join(" "));
}

function bar() {
    return el("span", { class: "bar-of", "aria-hidden": "true" }, el("i"));
}

export function showVolumes() {
    const box = $("volumes");
    const old = of("df.byte.total").length && !of("df.bytes.total").length;
    const names = old ? ["df.byte.total", "df.byte.free", "df.used.percent", "disk"] : ["df.bytes.total", "df.bytes.free", "df.bytes.used.percent", "mount"];
    const volumes = new Map();
    const put = (metric, key) => {
        for (const one of of(metric)) {
            const name = tagsOf(one.tags)[names[3]] || one.tags;
            if (!volumes.has(name)) volumes.set(name, { name });
            volumes.get(name)[key] = one.value;
            volumes.get(name).stale = isStale(one);
        }
    };
    put(names[0], "total");
    put(names[1], "free");
    put(names[2], "used");
    put("df.inodes.used.percent", "inodes");
    const all = [...volumes.values()].filter((one) => one.total > 0 && one.used !== undefined);
    // The fullest first: those that need somebody.
    all.sort((a, b) => b.used - a.used || (a.name < b.name ? -1 : 1));
    sentence(box, all.length ? null : t("noVolumes"));
    let list = box.querySelector("ul");
    if (!list) box.prepend((list = el("ul", { class: "volumes" })));
    attr(list, "class", all.length > 5 ? "volumes many" : "volumes");
    keyed(list, all, (one) => one.name, () => el("li", null, el("span", { class: "name" }), el("b"), bar(), el("span", { class: "more" })), (item, one) => {
        const worst = Math.max(one.used, one.inodes || 0);
        attr(item, "data-state", one.stale ? "stale" : worst >= 95 ? "bad" : worst >= 85 ? "warn" : null);
        text(item.children[0], one.name);
        text(item.children[1], join(percent(one.used)));
        item.children[2].firstChild.style.width = Math.min(100, one.used) + "%";
        const inodes = one.inodes !== undefined && one.inodes >= 50 ? " · " + t("inodes", number(one.inodes, 0)) : "";
        text(item.children[3], t("free", join(bytes(one.free)), join(bytes(one.total))) + inodes + (one.stale ? " · " + t("stale") : ""));
    });
}

const TOP = [["", "process"], ["n", "pid"], ["n", "cpuOne"], ["n", "memory"]];

export function showTop() {
    const top = now() - world.topAt < 30 ? world.top : [];
    const box = $("top");
    sentence(box, top.length ? null : t(world.live || performance.now() < 10000 ? "noTop" : "noStream"));
    const body = table(box, TOP, t("top"), t).tBodies[0];
    attr(body.parentElement, "hidden", top.length ? null : "");
    keyed(body, top, (one) => one.pid + one.name, () => row(TOP), (line, one) => {
        [one.name, String(one.pid), join(percent(one.cpu)), join(bytes(one.mem))].forEach((cell, at) => text(line.cells[at], cell));
    });
}

const rateOf = (unit) => (one) => (one.rate === null ? "" : join(perSecond(one.rate, unit)));
const valueOf = (unit) => (one) => join(shown(one.value, unit));
const count = (one) => number(one.value);
const up = (one) => (one.value > 0 ? t("running") : t("stopped"));
const isUp = (one) => one.value > 0;

/// Each table: the tag that names its rows, and its columns: [title, metrics of which the first counts that is there, how it is shown, whether it is well].
const TABLES = {
    iis: [
        ["site", "site", "iis.", [
            ["uptime", ["iis.service.uptime"], (one) => (one.value > 0 ? duration(one.value) : t("stopped")), isUp],
            ["requests", ["iis.requests.total", "iis.requests.get"], rateOf("")],
            ["connections", ["iis.connections"], count],
            ["sentBytes", ["iis.bytes.sent"], rateOf("B")],
            ["received", ["iis.bytes.received"], rateOf("B")],
            ["notFound", ["iis.errors.notfound"], rateOf("")],
            ["cpuOne", ["iis.site.cpu.percent"], valueOf("%")],
            ["memory", ["iis.site.mem.private"], valueOf("B")],
        ]],
        ["pool", "app_pool", "iis.app_pool.", [
            ["state", ["iis.app_pool.state"], (one) => (one.value === 3 ? t("running") : t("pool." + one.value)), (one) => one.value < 4],
            ["requests", ["iis.app_pool.requests"], rateOf("")],
            ["waits", ["iis.app_pool.queue.size"], count],
            ["rejected", ["iis.app_pool.queue.rejected"], rateOf("")],
            ["workers", ["iis.app_pool.workers"], count],
            ["failures", ["iis.app_pool.worker.failures"], count],
            ["cpuOne", ["iis.app_pool.cpu.percent"], valueOf("%")],
            ["memory", ["iis.app_pool.mem.private"], valueOf("B")],
        ]],
    ],
    sql: [
        ["instance", "instance", "mssql.", [
            ["state", ["mssql.up"], up, isUp],
            ["uptime", ["mssql.uptime"], (one) => duration(one.value)],
            ["batches", ["mssql.stats.batch_requests"], rateOf("")],
            ["connections", ["mssql.general.user_connections"], count],
            ["blocked", ["mssql.general.processes_blocked"], count],
            ["deadlocks", ["mssql.locks.deadlocks"], rateOf("")],
            ["hits", ["mssql.buffer.cache_hit_ratio"], valueOf("%")],
            ["lifetime", ["mssql.buffer.page_life_expectancy"], valueOf("s")],
            ["cpuOne", ["mssql.process.cpu.percent"], valueOf("%")],
            ["memory", ["mssql.memory.total"], valueOf("B")],
        ]],
    ],
};

/// Of counters whose rate is not known yet, what history knows.
function rates(needed) {
    const fresh = needed.filter((one) => !one.asked).slice(0, 256);
    if (!fresh.length) return;
    for (const one of fresh) one.asked = true;
    points(fresh.map((one) => one.id), now() - 4 * Math.max(world.state.step, 10)).then((found) => {
        for (const [id, [times, values]] of found) seed(id, times, values);
        showServices();
    }).catch(() => {});
}

export function showServices() {
    const needed = [];
    for (const [id, tables] of Object.entries(TABLES)) {
        let some = false;
        tables.forEach(([title, tag, , columns]) => {
            const things = new Map();
            const there = columns.filter(([name, metrics, show, isWell]) => {
                const metric = metrics.find((one) => of(one).some((series) => tagsOf(series.tags)[tag]));
                for (const series of metric ? of(metric) : []) {
                    const tags = tagsOf(series.tags);
                    const thing = tags[tag];
                    // Of what has stopped, what it was is not what it is.
                    if (!thing || isStale(series)) continue;
                    if (!things.has(thing)) things.set(thing, { name: thing });
                    things.get(thing)[name] = show(series);
                    if (isWell && !isWell(series)) things.get(thing).bad = true;
                    if (series.type !== "GAUGE" && series.rate === null) needed.push(series);
                }
                return Boolean(metric);
            });
            let box = $(id + "-" + title);
            if (box) attr(box, "hidden", things.size ? null : "");
            if (!things.size) return;
            some = true;
            if (!box) $(id).append((box = el("div", { class: "card flush scroll", id: id + "-" + title, tabindex: "0", role: "region" })));
            attr(box, "aria-label", t(title));
            const shownColumns = [["", title], ...there.map(([name]) => ["n", name])];
            const head = shownColumns.map((column) => column[1]).join();
            if (box.dataset.head !== head) {
                box.replaceChildren();
                box.dataset.head = head;
            }
            const body = table(box, shownColumns, t(title), t).tBodies[0];
            const all = [...things.values()].sort((a, b) => (a.name === "_Total") - (b.name === "_Total") || (a.name < b.name ? -1 : 1));
            keyed(body, all, (one) => one.name, () => row(shownColumns), (line, one) => {
                text(line.cells[0], one.name);
                there.forEach(([name], at) => text(line.cells[at + 1], one[name] === undefined ? "" : one[name]));
                attr(line, "data-total", one.name === "_Total" ? "1" : null);
                attr(line, "data-state", one.bad ? "warn" : null);
            });
        });
        attr($(id), "hidden", some ? null : "");
    }
    rates(needed);
}
