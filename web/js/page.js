// Starts the page: three questions to the agent, and then what changes.

import { get, poll } from "./api.js";
import { recolour } from "./charts.js";
import { showChecks, showPlugins, showSources } from "./checks.js";
import { $, attr, text } from "./dom.js";
import { showHealth, showLog, showTiles } from "./health.js";
import { showIdentity, showServices, showTop, showVolumes } from "./host.js";
import { lang, preferred, speak, stored, t } from "./i18n.js";
import { drawAll, fromSeries, ranges, remember, spans, watch } from "./live.js";
import { listen, showSeries } from "./series.js";
import { now, take, world } from "./store.js";

function showState() {
    showHealth();
    if (!world.state) return;
    showIdentity();
    showTiles();
    showLog();
    showPlugins();
    showSources();
    spans();
}

function showValues() {
    if (!world.state) return;
    showVolumes();
    showTop();
    showChecks();
    showServices();
    showSeries();
}

const failed = { state: 0, series: 0 };

/// What a question came to: whether the agent is there. A failure may be a restart of its server; two in a row, or a missing
/// password, are none.
function heard(path, error) {
    failed[path] = error ? failed[path] + (error.status === 401 ? 2 : 1) : 0;
    if (failed[path] > 1) {
        world.gone = world.gone || now();
        world.status = error.status || 0;
    } else if (Math.max(...Object.values(failed)) < 2) {
        world.gone = world.status = 0;
    }
    if (error) showHealth();
    return !error;
}

/// After how many ms a question that failed is asked again: not at all where the browser would ask for a password each time.
const again = (error) => (error.status === 401 ? 0 : error.status ? 5000 : 1000);

function theme(chosen) {
    attr(document.documentElement, "data-theme", chosen);
    text($("theme"), t(chosen === "dark" ? "light" : "dark"));
    recolour();
}

function dress() {
    speak(lang());
    text($("lang"), t("other"));
    attr($("lang"), "lang", lang() === "en" ? "zh-CN" : "en");
    theme(document.documentElement.dataset.theme);
    ranges();
}

function switches() {
    $("lang").addEventListener("click", () => {
        const chosen = lang() === "en" ? "zh-CN" : "en";
        stored("lang", chosen);
        speak(chosen);
        dress();
        showState();
        showValues();
        if (world.state) drawAll();
    });
    $("theme").addEventListener("click", () => {
        const chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        stored("theme", chosen);
        theme(chosen);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
        if (!stored("theme")) theme(event.matches ? "dark" : "light");
    });
}

let pause = 2000;

async function start() {
    try {
        if (!window.uPlot) throw new Error("uPlot");
        const [state, series] = await Promise.all([get("state"), get("series")]);
        world.state = state;
        world.ahead = state.now - Date.now() / 1000;
        take(series);
    } catch (error) {
        failed.state = 1;
        heard("state", error);
        // A script that did not come is asked for by the browser alone.
        if (error.status !== 401) setTimeout(window.uPlot ? start : () => location.reload(), pause);
        pause = Math.min(pause * 2, 30000);
        return;
    }
    heard("state", null);
    await remember();
    showValues();
    showState();
    attr(document.body, "data-ready", "1");
    follow();
}

function follow() {
    const askState = poll("state", (error, state) => {
        if (!heard("state", error)) return again(error);
        // Another agent has another page.
        if (state.version !== world.state.version) location.reload();
        world.state = state;
        if (!world.live) world.ahead = state.now - Date.now() / 1000;
        showState();
        return 3000;
    }, 3000);
    poll("series", (error, series) => {
        if (!heard("series", error)) return again(error);
        take(series);
        fromSeries();
        showValues();
        return world.list.length > 2000 ? 20000 : 5000;
    }, 5000);
    let up;
    watch((live) => {
        // The stream ended, or the transfer came or went: what is wrong is asked for at once.
        if (!live || (up !== undefined && live.up !== up)) askState();
        if (live) {
            up = live.up;
            if (live.top) showTop();
        }
    });
}

// `theme.js` has looked whether this browser can.
if (!document.documentElement.dataset.old) {
    speak(preferred());
    dress();
    switches();
    listen();
    start();
}
