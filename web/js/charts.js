// A chart: uPlot, dressed as this page is, with its figures beside it and in words for those who do not see it.

import { attr, el, isThere, keyed, text } from "./dom.js";
import { clock, date, join } from "./format.js";
import { t } from "./i18n.js";

let colours = null;

function colour(name) {
    if (!colours) colours = getComputedStyle(document.documentElement);
    return colours.getPropertyValue("--" + name).trim();
}

const made = new Set();

export function recolour() {
    colours = null;
    for (const chart of made) chart.plot.redraw(false, true);
}

/// Times of an axis: as many as there is room for.
function times(_, splits, __, ___, step) {
    return splits.map((at) => (step >= 86400 ? date(at).slice(5) : clock(at, step < 60)));
}

const STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/// Where a line is broken: no point for three times as long as they usually are apart.
function broken(rows, gap) {
    const columns = rows.length ? rows[0].map(() => []) : [[]];
    let last = 0;
    for (const row of rows) {
        if (last && row[0] - last > gap) {
            columns.forEach((column, at) => column.push(at ? null : (last + row[0]) / 2));
        }
        columns.forEach((column, at) => column.push(row[at]));
        last = row[0];
    }
    return columns;
}

/// Steps of a scale of bytes, in which 1024 is a round number.
const BINARY = [];
for (let unit = 1; unit < 2 ** 60; unit *= 1024) BINARY.push(...[1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * unit));

export class Chart {
    /// `columns`: {key, colour, hidden, fill}; `format`: a value as [number, unit]; `most`: the top of the scale, by its greatest value.
    constructor(box, { columns, format, most, height = 108, sync = true, legend = null, onHover = null, axis = 52, binary = false }) {
        Object.assign(this, { box, columns, format, legend, onHover, rows: [], data: [[]], at: null, height });
        const drawn = columns.filter((column) => !column.hidden);
        this.place = el("div", { class: "plot", role: "img" });
        box.append(this.place);
        const line = { stroke: () => colour("grid"), width: 1 };
        const font = "11px system-ui, sans-serif";
        this.plot = new window.uPlot({
            width: Math.max(120, this.place.clientWidth || 300),
            height,
            padding: [6, 24, 0, 0],
            legend: { show: false },
            pxAlign: 1,
            cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: sync ? { key: "host", setSeries: false } : undefined },
            scales: { x: { time: true, range: () => this.window || [0, 1] }, y: { range: (_, least, greatest) => [0, most(greatest === null ? 0 : greatest)] } },
            axes: [
                { stroke: () => colour("muted"), font, grid: { show: false }, ticks: { ...line, size: 3 }, size: 22, gap: 3, space: 64, incrs: STEPS, values: times },
                {
                    stroke: () => colour("muted"), font, grid: line, ticks: { show: false }, size: axis, gap: 4, space: 30,
                    ...(binary ? { incrs: BINARY } : {}),
                    values: (_, splits) => splits.map((at) => join(format(at)).replace(/([.,]0+)(?=\D|$)/, "")),
                },
            ],
            series: [
                {},
                ...drawn.map((column) => ({
                    stroke: () => colour(column.colour),
                    fill: column.fill ? () => colour(column.colour + "-fill") : undefined,
                    width: column.fill ? 1.5 : 1.25,
                    points: { show: false },
                })),
            ],
            hooks: { setCursor: [(plot) => this.hover(plot.cursor.idx)] },
        }, this.data, this.place);
        made.add(this);
        this.watch = new ResizeObserver(() => this.fit());
        this.watch.observe(this.place);
    }

    fit() {
        const width = Math.floor(this.place.clientWidth);
        if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
    }

    drop() {
        made.delete(this);
        this.watch.disconnect();
        this.plot.destroy();
    }

    /// Rows between these two times are drawn.
    draw(rows, from, to, gap) {
        this.window = [from, to];
        this.rows = rows;
        const shown = broken(rows, gap);
        this.data = shown;
        const drawn = this.columns.map((column, at) => (column.hidden ? null : shown[at + 1] || [])).filter(Boolean);
        this.plot.setData([shown[0], ...drawn]);
        attr(this.box, "data-points", rows.length);
        attr(this.box, "data-at", rows.length ? rows[rows.length - 1][0] : null);
    }

    hover(at) {
        this.at = this.plot.cursor.left >= 0 && isThere(at) ? at : null;
        this.tell();
    }

    /// The figures of the legend: of the newest values, or of where the pointer is.
    tell() {
        if (!this.legend) return;
        const last = this.rows[this.rows.length - 1];
        const row = this.at === null ? last : this.data.map((column) => column[this.at]);
        const items = this.columns.map((column, at) => [column, row ? row[at + 1] : null]).filter(([column, value]) => !column.hidden && isThere(value));
        keyed(this.legend, items, ([column]) => column.key, ([column]) =>
            el("li", null, el("span", { class: "swatch " + column.colour, "aria-hidden": "true" }), el("span", { class: "name" }), el("b")),
        (item, [column, value]) => {
            text(item.children[1], t(column.key));
            text(item.children[2], join(this.format(value)));
        });
        if (this.onHover) this.onHover(this.at === null || !row ? null : row[0]);
    }

    /// What it shows, in words.
    describe(name) {
        const values = this.rows.map((row) => row[1]).filter(isThere);
        if (!values.length) {
            attr(this.place, "aria-label", t("chartNone", name));
            return;
        }
        const [first, last] = [this.rows[0][0], this.rows[this.rows.length - 1][0]];
        const figure = (value) => join(this.format(value));
        attr(this.place, "aria-label", t("chart", name, figure(values[values.length - 1]), values.length, clock(first), clock(last),
            figure(values.reduce((a, b) => Math.min(a, b))), figure(values.reduce((a, b) => Math.max(a, b)))));
    }
}

/// Three times as far as points are usually apart.
export function gapOf(rows, step) {
    const apart = [];
    for (let at = 1; at < rows.length; at += 1) apart.push(rows[at][0] - rows[at - 1][0]);
    apart.sort((a, b) => a - b);
    return 3.2 * Math.max(step, apart[apart.length >> 1] || 0);
}
