// The five charts: what the agent remembers, and then a point a second while somebody looks.

import { Chart, gapOf } from "./charts.js";
import { $, attr, el, keyed, text } from "./dom.js";
import { bits, bytes, clock, duration, join, number, percent, rate } from "./format.js";
import { stored, t } from "./i18n.js";
import { idsOf, points, roles, rows, thinned } from "./history.js";
import { now, of, value, world } from "./store.js";

const RANGES = [["live", 300], ["1 h", 3600], ["6 h", 21600], ["all", 0]];
const MOST_LIVE = 3700;
const MOST_DRAWN = 900;
const tenths = (amount) => [number(amount, 2), ""];
/// A scale for rates: a tenth above the greatest, and never so fine that noise looks like work.
const above = (floor) => (greatest) => Math.max(floor, greatest * 1.1);

const KINDS = {
    cpu: {
        columns: [{ key: "busy", colour: "c1", fill: true }, { key: "user", colour: "c2" }, { key: "system", colour: "c3" }, { key: "iowait", colour: "c4" }],
        format: percent, most: () => 100,
        of: (live) => live.cpu && [live.cpu.busy, live.cpu.user, live.cpu.system, live.cpu.iowait],
    },
    mem: {
        columns: [{ key: "used", colour: "c1", fill: true }],
        format: percent, most: () => 100,
        of: (live) => live.mem && [(live.mem.used / live.mem.total) * 100],
    },
    net: {
        columns: [{ key: "in", colour: "c1", fill: true }, { key: "out", colour: "c2" }],
        format: bits, most: above(10000), axis: 68,
        of: (live) => live.net && [live.net.in * 8, live.net.out * 8],
    },
    disk: {
        columns: [{ key: "read", colour: "c1", fill: true }, { key: "write", colour: "c2" }, { key: "util", hidden: true, format: percent }],
        format: rate, most: above(65536), axis: 68,
        of: (live) => live.disk && [live.disk.read, live.disk.write, live.disk.util],
    },
    load: {
        columns: [{ key: "load1", colour: "c1", fill: true }, { key: "load5", colour: "c2" }, { key: "load15", colour: "c3" }],
        format: tenths, most: above(1),
        of: (live) => live.load,
    },
};

const QUEUE = { columns: [{ key: "queued", colour: "c1", fill: true }], of: (live) => (live.queue === null || live.queue === undefined ? null : [live.queue]) };

const views = {};
let range = RANGES.some(([name]) => name === stored("range")) ? stored("range") : "live";
let source = null;
let fetched = 0;
let connected = false;
let watching = () => {};

function view(name) {
    if (views[name]) return views[name];
    const box = document.querySelector(`[data-chart=${name}]`);
    const windows = name === "load" && world.state && world.state.os === "windows";
    const kind = windows ? { ...KINDS.load, ...QUEUE } : KINDS[name];
    const title = box.querySelector("h3");
    if (windows) {
        title.dataset.t = "queueLength";
        text(title, t("queueLength"));
    }
    const big = el("p", { class: "big" }, el("span", { class: "num" }, "–"), el("span", { class: "unit" }));
    const sub = el("p", { class: "sub" });
    const at = el("span", { class: "at" });
    title.after(at);
    box.append(big, sub);
    const legend = el("ul", { class: "legend" });
    const chart = new Chart(box, { ...kind, legend, onHover: (time) => text(at, time ? clock(time) : "") });
    box.append(legend);
    views[name] = { box, kind, title, big, sub, chart, past: [], live: [] };
    return views[name];
}

function span() {
    const [, seconds] = RANGES.find(([name]) => name === range);
    return seconds;
}

/// All rows of a chart in the range that is chosen.
function merged(one, from) {
    const began = one.live.length ? one.live[0][0] : Infinity;
    const past = one.past.filter((row) => row[0] < began - 0.5 && row[0] >= from);
    return { past, all: past.concat(one.live.filter((row) => row[0] >= from)) };
}

function draw(name, described) {
    const one = view(name);
    const to = now();
    let from = to - span();
    if (!span()) {
        const first = Math.min(...[one.past[0], one.live[0]].filter(Boolean).map((row) => row[0]));
        from = Number.isFinite(first) ? Math.min(first, to - 300) : to - 300;
    }
    const { past, all } = merged(one, from);
    one.chart.draw(thinned(all, MOST_DRAWN), from, to, gapOf(past, world.state ? world.state.step : 60));
    one.chart.tell();
    const last = all.length ? all[all.length - 1] : one.past[one.past.length - 1];
    const figure = last && last[1] !== undefined && last[1] !== null ? one.chart.format(last[1]) : null;
    attr(one.box, "data-last", figure ? join(figure) : "");
    text(one.big.children[0], figure ? figure[0] : "–");
    text(one.big.children[1], figure ? figure[1] : "");
    attr(one.box, "data-stale", last && to - last[0] > Math.max(15, 3 * (world.state ? world.state.step : 60)) ? "1" : null);
    text(one.sub, sub(name, last));
    if (described) one.chart.describe(one.title.textContent);
}

/// The line below the big figure.
function sub(name, last) {
    const live = world.live;
    if (name === "cpu") {
        const processors = value("cpu.cnt");
        return processors ? (processors === 1 ? t("ofCpu") : t("ofCpus", number(processors))) : "";
    }
    if (name === "mem") {
        const total = live && live.mem ? live.mem.total : value("mem.memtotal");
        const used = live && live.mem ? live.mem.used : value("mem.memused");
        return total ? t("usedOf", join(bytes(used)), join(bytes(total))) : "";
    }
    if (name === "load" && last && !(world.state && world.state.os === "windows")) {
        const processors = value("cpu.cnt");
        return processors ? join(percent((last[1] / processors) * 100)) + " " + (processors === 1 ? t("ofCpu") : t("ofCpus", number(processors))) : "";
    }
    if (name === "net") return busiestOf("net.if.in.bytes", "iface");
    if (name === "disk") return busiestOf("disk.io.util", "device");
    return "";
}

/// The names of what is summed up, so that nobody wonders.
function busiestOf(metric, tag) {
    const names = of(metric).map((one) => one.tags.split(tag + "=")[1]).filter((one) => one && one !== "lo");
    if (!names.length) return "";
    return names.length <= 3 ? names.join(", ") : names.slice(0, 2).join(", ") + " +" + (names.length - 2);
}

export function drawAll(described = true) {
    for (const name of Object.keys(KINDS)) draw(name, described);
}

/// Reads what the agent remembers.
export async function remember() {
    const columns = roles();
    const wanted = new Set(Object.values(columns).flatMap(idsOf));
    const found = wanted.size ? await points([...wanted], span() ? now() - span() - 120 : 0) : new Map();
    for (const name of Object.keys(KINDS)) view(name).past = rows(columns[name], found);
    fetched = Date.now();
    drawAll();
}

/// Where nothing is streamed, the newest values of the series are the next points.
export function fromSeries() {
    if (connected) return;
    const columns = roles();
    for (const name of Object.keys(KINDS)) {
        const one = view(name);
        const row = [0];
        columns[name].forEach((column, at) => {
            for (const series of column.series) {
                const amount = series.type === "GAUGE" ? series.value : series.rate;
                if (amount === null) continue;
                row[0] = Math.max(row[0], series.at);
                const shown = amount * (column.times || 1) + (column.plus || 0);
                row[at + 1] = row[at + 1] === undefined ? shown : (column.join || ((a, b) => a + b))(row[at + 1], shown);
            }
        });
        const last = one.past[one.past.length - 1];
        if (row[0] && (!last || last[0] < row[0])) one.past.push(Object.assign(columns[name].map(() => undefined).concat(undefined), row));
    }
    drawAll();
}

function heard(event) {
    const live = JSON.parse(event.data);
    if (live.top) world.top = live.top;
    world.live = live;
    connected = true;
    world.ahead = live.t / 1000 - Date.now() / 1000;
    for (const [name] of Object.entries(KINDS)) {
        const one = view(name);
        const values = one.kind.of(live);
        if (!values) continue;
        one.live.push([live.t / 1000, ...one.kind.columns.map((_, at) => (values[at] === null ? undefined : values[at]))]);
        if (one.live.length > MOST_LIVE) one.live.splice(0, 100);
    }
    if (Date.now() - fetched > 1800000) {
        fetched = Date.now();
        remember().catch(() => {});
    }
    drawAll(Math.round(live.t / 1000) % 10 === 0);
    watching(live);
}

export function isLive() {
    return connected;
}

/// Listens while the page is seen.
export function watch(tell) {
    watching = tell;
    const listen = () => {
        if (document.hidden) {
            if (source) source.close();
            source = null;
            connected = false;
            return;
        }
        if (source && source.readyState !== EventSource.CLOSED) return;
        source = new EventSource("ui/live");
        source.onmessage = heard;
        source.onerror = () => {
            connected = false;
            tell(null);
            // Refused, as when too many look: asked again later. Else the browser does that by itself.
            if (source && source.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
        };
    };
    document.addEventListener("visibilitychange", () => {
        listen();
        if (!document.hidden) remember().catch(() => {});
    });
    listen();
}

export function ranges() {
    keyed($("range"), RANGES, ([name]) => name, ([name]) => el("button", {
        type: "button",
        onclick: () => {
            range = name;
            stored("range", name);
            ranges();
            drawAll();
            remember().catch(() => {});
        },
    }), (button, [name]) => {
        text(button, name === "live" || name === "all" ? t("range." + name) : name.replace("h", t("units").split(",")[1]));
        attr(button, "aria-pressed", name === range);
    });
}

export function spans() {
    const { history } = world.state;
    const words = history.from ? t("spans", duration(now() - history.from)) : t("spansNone");
    text($("span"), words + " · " + t(connected ? "live" : "polled"));
}
