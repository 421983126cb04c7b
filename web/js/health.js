// What is wrong, since when, and the way out.

import { $, attr, el, isThere, keyed, text } from "./dom.js";
import { bytes, clock, date, duration, join, moment, number, zone } from "./format.js";
import { t, upright } from "./i18n.js";
import { now, world } from "./store.js";

const MOST = 8;
/// Seconds from which the servers may take points for late.
const SKEW = 30;

const because = (error) => (error ? t("point") + error : "");

function transfer({ addrs, enabled, invalid }, waiting) {
    if (!addrs.length) return [{ code: "transfer-none", title: t("noTransfer"), what: t("noTransferWhat"), way: t("noTransferWay") }];
    const found = [];
    if (!enabled) found.push({ code: "transfer-none", title: t("notSent"), what: t("notSentWhat", addrs.map((one) => one.addr).join(", ")), way: t("noTransferWay") });
    if (grows("invalid", invalid)) found.push({ code: "invalid", title: t("invalids"), what: t("invalid", number(invalid)), way: t("invalidsWay") });
    const down = addrs.filter((one) => one.state === "down");
    if (!down.length) return found;
    const what = down.map((one) => t("downFor", one.addr, duration(one.since), because(one.error))).join(t("comma"));
    if (down.length === addrs.length) {
        found.push({ code: "transfer-down", bad: true, title: t("down"), what, way: t("downKept", number(waiting)) + t("downWay") });
        return found;
    }
    const others = addrs.filter((one) => one.state !== "down");
    const used = others.find((one) => one.used) || others[0];
    found.push({ code: "transfer-down", title: t("downOne", down.map((one) => one.addr).join(", ")), what, way: t("downSome", used.addr, down[0].addr) });
    return found;
}

const counted = {};

/// Within the last minutes: that is another thing than having grown once.
function grows(name, value) {
    const one = counted[name] || (counted[name] = { value, at: -Infinity });
    if (value > one.value) one.at = performance.now();
    one.value = value;
    return performance.now() - one.at < 300000;
}

/// What to do, by why points were lost.
const WAYS = { age: "room", quota: "room", memory: "disk", damaged: "disk", stop: "disk", clock: "clock", nameless: "name" };

function lost(queue) {
    const reasons = Object.entries(queue.lost).filter(([why, points]) => points > 0 && why !== "purged");
    const all = reasons.reduce((sum, [, points]) => sum + points, 0);
    const losing = grows("lost", all);
    if (!all) return [];
    const ways = [...new Set(reasons.map(([why]) => t("lostWay." + WAYS[why])))].join(" ");
    const what = reasons.map(([why, points]) => t("lost." + why, number(points))).join(t("comma"));
    const title = losing ? t("losing") : t("dropping", number(all));
    return [{ code: "dropping", bad: losing, title, what: (losing ? t("dropping", number(all)) + t("point") : "") + what, way: t("droppingWay") + ways }];
}

/// By its last run; one that was ended because it is bound no more has not failed.
export function pluginFails(plugin) {
    return Boolean(plugin.last_run) && (Boolean(plugin.exit || plugin.last_error) || !["exited", "stopped"].includes(plugin.end));
}

export function pluginReason(one) {
    const said = pluginFails(one) ? [one.exit && !one.last_error ? t("exit", one.exit) : "", one.last_error || one.end, one.stderr] : [one.remark];
    // Why it waits is told where it has nothing to wait for.
    return [one.state === "waiting" ? "" : one.reason, ...said].filter(Boolean).join(t("point"));
}

/// The worst first.
function issues() {
    const { gone, status } = world;
    if (gone) {
        const refused = status === 401 || status === 403;
        const title = refused ? t("refused", status) : status ? t("goneStatus", status) : t("gone");
        return [{ code: "agent-gone", bad: true, title, what: t("goneWhat", moment(gone)), way: t(refused ? "refusedWay." + status : "goneWay") }];
    }
    const { health, hbs, sources, plugins } = world.state;
    const found = [];
    if (health.endpoint === null) found.push({ code: "nameless", bad: true, title: t("nameless"), what: t("namelessWhat"), way: t("namelessWay") });
    found.push(...transfer(health.transfer, health.queue.points));
    if (health.queue.trouble) found.push({ code: "queue-trouble", bad: true, title: t("disk"), what: health.queue.trouble, way: t("diskWay") });
    found.push(...lost(health.queue));
    if (health.clock.in_doubt) found.push({ code: "clock-doubt", title: t("doubt"), what: t("doubtWhat"), way: t("doubtWay") });
    const skew = health.clock.skew;
    if (skew !== null && Math.abs(skew) >= SKEW) {
        const by = duration(Math.abs(skew));
        found.push({ code: "clock-skew", title: t("skew", by), what: t(skew > 0 ? "skewAhead" : "skewBehind", by), way: t("skewWay") });
    }
    if (health.config.refused) found.push({ code: "config-refused", title: t("config"), what: t("configWhat"), way: t("configWay") });
    for (const one of health.config.skipped) {
        const line = one.line ? t("overlayWhat", one.file, one.line + (one.column ? ":" + one.column : ""), one.key || "–") : one.file + t("point") + (one.key || "–");
        found.push({ code: "overlay-skipped", id: one.file, title: t("overlay"), what: line, way: t("overlayWay") });
    }
    if (hbs.state === "down" || hbs.state === "refused") {
        const since = isThere(hbs.since) ? t("hbsFor", duration(now() - hbs.since)) : "";
        const what = t("hbsWhat", hbs.addr || "hbs", since, because(hbs.error));
        found.push({ code: "hbs-down", title: t(hbs.state === "down" ? "hbsDown" : "hbsRefused"), what, way: t("hbsAll") + t(hbs.state === "down" ? "hbsWay" : "hbsRefusedWay") });
    }
    for (const one of sources) {
        if (one.state !== "failed" && one.state !== "hung") continue;
        const what = one.problems.map(([about, why]) => about + t("point") + why).join(t("comma"));
        const again = one.again ? t("sourceAgain", duration(one.again - now())) : "";
        found.push({ code: "source-failed", id: one.name, title: t(one.state === "hung" ? "sourceHung" : "sourceFailed", one.name), what, way: t("sourceWay", again) });
    }
    for (const one of plugins ? plugins.list : []) {
        if (!pluginFails(one)) continue;
        found.push({ code: "plugin-failed", id: one.name, title: t("pluginFailed", one.name), what: pluginReason(one), way: t("pluginWay") });
    }
    return found.sort((a, b) => Boolean(b.bad) - Boolean(a.bad));
}

function verdict(found) {
    if (found.length) return found[0].title + (found.length > 1 ? " · " + t("more", number(found.length - 1)) : "");
    const { health } = world.state;
    const used = health.transfer.addrs.find((one) => one.used);
    const said = used ? t(health.replay ? "okReplay" : "okSent", used.addr) : t("okFirst");
    return said + (world.failing ? " · " + t("failing", number(world.failing)) : "");
}

const COLOURS = { ok: "1a7f45", warn: "b7791f", bad: "c62828", wait: "808a98" };

function icon(state) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#${COLOURS[state]}"/></svg>`;
    attr(document.querySelector("link[rel=icon]"), "href", "data:image/svg+xml," + encodeURIComponent(svg));
}

export function showHealth() {
    if (!world.state && !world.gone) return;
    const found = issues();
    const state = found.some((one) => one.bad) ? "bad" : found.length ? "warn" : "ok";
    const box = $("health");
    attr(box, "data-state", state);
    text($("verdict-text"), verdict(found));
    const shown = found.slice(0, MOST);
    keyed($("issues"), shown, (one) => one.code + "|" + (one.id || ""), (one) =>
        el("li", { class: "issue", "data-code": one.code }, el("p", { class: "title" }), el("p", { class: "what" }), el("p", { class: "way" })),
    (item, one) => {
        // The first is what the line above says.
        attr(item, "class", one === found[0] ? "issue named" : "issue");
        text(item.children[0], one.title);
        attr(item.children[1], "hidden", one.what ? null : "");
        text(item.children[1], one.what);
        text(item.children[2], one.way);
    });
    attr(document.body, "data-gone", world.gone ? "1" : null);
    icon(state);
    const endpoint = world.state ? world.state.endpoint || t("unnamed") : "";
    document.title = (state === "ok" ? "" : verdict(found) + " · ") + (endpoint ? upright(endpoint) + " · " : "") + "falcon-agent";
}

/// The commonest codes of the log: what they mean, where its own words do not do, and the way out.
const PLAINLY = {
    A014: ["nameless", "namelessWay"],
    C001: ["", "sourceWay"],
    F002: ["", "configWay"],
    F004: ["config", "configWay"],
    K007: ["", "skewWay"],
    Q006: ["losing", "lostWay.room"],
    Q012: ["disk", "diskWay"],
    R003: ["hbsRefused", "hbsRefusedWay"],
    R004: ["hbsDown", "hbsWay"],
    T001: ["invalids", "invalidsWay"],
    T003: ["down", "downWay"],
    T004: ["invalids", "invalidsWay"],
    U010: ["", "pluginWay"],
};

/// The log's newest warnings and errors.
export function showLog() {
    const lines = world.state.log;
    attr($("log"), "hidden", lines && lines.length ? null : "");
    if (!lines || !lines.length) return;
    const last = lines[lines.length - 1];
    const label = document.querySelector("#log .tag");
    label.dataset.t = last.level === "error" ? "lastError" : "lastWarning";
    text(label, t(label.dataset.t));
    attr($("log"), "data-level", last.level);
    const head = (one) => moment(one.at) + "  " + one.code + "  ";
    const line = (one) => head(one) + one.text;
    const [title, way] = PLAINLY[last.code] || ["", ""];
    text($("log-last"), head(last) + (t(title) || last.text));
    text($("log-way"), way ? "→ " + t(way, "") : "");
    keyed($("log-lines"), [...lines].reverse(), (one) => one.at + one.code + one.text, () => el("li"), (item, one) => {
        attr(item, "data-level", one.level);
        text(item, line(one));
    });
}

function tiles() {
    const { health, hbs, step } = world.state;
    const { addrs, call_ms, sent, invalid } = health.transfer;
    const used = addrs.find((one) => one.used) || addrs[0];
    const states = { up: "up", down: "isDown", slow: "slow", off: "off", refused: "isRefused", "not tried": "notTried" };
    const colours = { up: "ok", down: "bad", slow: "warn", refused: "bad" };
    const { queue, replay, clock: time } = health;
    const held = [queue.disk_bytes ? t("onDisk", join(bytes(queue.disk_bytes))) : "", queue.points && queue.memory_bytes ? t("inMemory", join(bytes(queue.memory_bytes))) : ""];
    const skew = time.skew;
    const dot = " · ";
    const list = (...parts) => parts.filter(Boolean).join(dot);
    return [
        {
            key: "transfer", colour: used ? colours[used.state] : "warn", value: used ? t(states[used.state]) : t("off"),
            more: used ? [used.addr, list(t("sent", number(sent)), invalid ? t("invalid", number(invalid)) : "", call_ms === null ? "" : t("call", number(call_ms) + "\u00a0ms"))] : [t("every", duration(step))],
        },
        {
            key: "hbs", colour: hbs.state === "down" || hbs.state === "refused" ? "warn" : colours[hbs.state], value: t(states[hbs.state] || "off"),
            more: [hbs.addr || (hbs.state === "off" ? t("hbsOff") : ""), isThere(hbs.since) && hbs.state !== "off" ? t("lasting", duration(now() - hbs.since)) : ""],
        },
        {
            key: "queue", colour: queue.trouble ? "bad" : null, value: queue.points ? t("waiting", number(queue.points)) : t("empty"),
            more: [queue.points ? t("oldest", duration(queue.oldest)) : t("nothingWaits"), list(...held, replay && replay.to_go !== null ? t("toGo", duration(replay.to_go)) : "")],
        },
        {
            key: "clock", colour: time.in_doubt || (skew !== null && Math.abs(skew) >= SKEW) ? "warn" : null,
            value: time.in_doubt ? t("inDoubt") : clock(now(), false),
            more: [date(now()) + dot + zone(), skew === null ? t("unknownSkew") : Math.abs(skew) < 2 ? t("same") : t(skew > 0 ? "ahead" : "behind", duration(Math.abs(skew)))],
        },
    ];
}

export function showTiles() {
    keyed($("tiles"), tiles(), (tile) => tile.key, (tile) =>
        el("div", { id: "tile-" + tile.key }, el("dt"), el("dd", { class: "v" }, el("span", { class: "dot", "aria-hidden": "true" }), el("span")), el("dd", { class: "m" }), el("dd", { class: "m" })),
    (item, tile) => {
        attr(item, "data-state", tile.colour);
        text(item.children[0], t("tile." + tile.key));
        text(item.children[1].children[1], tile.value);
        text(item.children[2], tile.more[0] || "");
        text(item.children[3], tile.more[1] || "");
    });
}
