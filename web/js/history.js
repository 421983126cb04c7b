// What the agent remembers, as rows of the charts: [time, value of each column].

import { get } from "./api.js";
import { isThere } from "./dom.js";
import { of, world } from "./store.js";

const AT_ONCE = 64;

/// Points by id: [[times], [values]].
export async function points(ids, from) {
    const found = new Map();
    for (let at = 0; at < ids.length; at += AT_ONCE) {
        const some = ids.slice(at, at + AT_ONCE);
        const answer = await get("history?id=" + some.join(",") + (from ? "&from=" + Math.floor(from) : ""));
        for (const id of some) {
            const one = answer.series[id];
            if (one) found.set(id, one);
        }
    }
    return found;
}

/// A counter per second; where it began anew there is none. A DERIVE may fall.
export function perSecond([times, values], type) {
    const rates = [[], []];
    for (let at = 1; at < times.length; at += 1) {
        const [passed, grown] = [times[at] - times[at - 1], values[at] - values[at - 1]];
        if (passed > 0) {
            rates[0].push(times[at]);
            rates[1].push(grown < 0 && type !== "DERIVE" ? null : grown / passed);
        }
    }
    return rates;
}

const sum = (a, b) => a + b;
const one = (metric, times = 1) => ({ series: of(metric).slice(0, 1), times });
const MOST = 10;

/// Of which cards and disks the stream tells the sum.
export const summed = { net: [], disk: [] };

/// Whether it is of others than before.
export function sums(live) {
    return Object.keys(summed).filter((kind) => {
        const names = (live[kind] || {}).of || [];
        if (!names.length || String(names) === String(summed[kind])) return false;
        summed[kind] = names;
        return true;
    }).length > 0;
}

/// What the stream sums up. Before it has told: what is made of others would count twice, so the busiest of the others, or of all
/// where there are none.
function parts(metric, made, names) {
    const same = of(metric).filter((series) => names.some((name) => `,${series.tags},`.includes(`=${name},`)));
    if (same.length) return same;
    const all = of(metric).filter((series) => !/=(lo|Loopback.*|_Total)$/.test(series.tags));
    const real = all.filter((series) => !made.test(series.tags));
    return (real.length ? real : all).sort((a, b) => b.value - a.value).slice(0, MOST);
}

const cards = (metric) => parts(metric, /=(bond|team|br|docker|veth|virbr|vnet|tun|tap|vlan|ifb|dummy|wg|cni|cali|flannel)|=[^,]*\.\d+$/, summed.net);
const drives = (metric) => parts(metric, /=(dm-|md|loop|ram|zram)/, summed.disk);

/// Which series make up the columns of which chart.
export function roles() {
    const windows = world.state && world.state.os === "windows";
    const busy = of("cpu.busy").length ? one("cpu.busy") : { series: of("cpu.idle").slice(0, 1), times: -1, plus: 100 };
    const net = (way) => {
        const bytes = cards("net.if." + way + ".bytes");
        if (bytes.length) return { series: bytes, times: 8, join: sum };
        return { series: cards("net.if." + way + ".mbits"), times: 1e5, join: sum };
    };
    return {
        cpu: [busy, one("cpu.system"), windows ? { series: [] } : one("cpu.iowait")],
        mem: [one("mem.memused.percent")],
        net: [net("in"), net("out")],
        disk: [
            { series: drives("disk.io.read_bytes"), join: sum },
            { series: drives("disk.io.write_bytes"), join: sum },
            { series: drives("disk.io.util"), join: Math.max },
        ],
        load: windows ? [one("sys.proc.queue")] : [one("load.1min"), one("load.5min"), one("load.15min")],
    };
}

export function idsOf(columns) {
    return columns.flatMap((column) => column.series.map((series) => series.id));
}

/// Rows of one chart, in the order of time. Of several series a sum is told where all have a point that are there at that time: one
/// that missed a cycle would make a dip.
export function rows(columns, found) {
    const times = new Map();
    const spans = columns.map(() => []);
    columns.forEach((column, at) => {
        for (const series of column.series) {
            let history = found.get(series.id);
            if (!history) continue;
            if (series.type !== "GAUGE") history = perSecond(history, series.type);
            const [stamps, values] = history;
            if (!stamps.length) continue;
            spans[at].push([stamps[0], stamps[stamps.length - 1] + 2 * series.step]);
            stamps.forEach((time, n) => {
                let value = values[n];
                if (value === null) return;
                value = value * (column.times || 1) + (column.plus || 0);
                let one = times.get(time);
                if (!one) times.set(time, (one = { row: [time, ...columns.map(() => undefined)], parts: columns.map(() => 0) }));
                one.row[at + 1] = one.parts[at] ? (column.join || sum)(one.row[at + 1], value) : value;
                one.parts[at] += 1;
            });
        }
    });
    const all = [...times.values()].sort((a, b) => a.row[0] - b.row[0]);
    return all.map(({ row, parts }) => row.map((value, at) => {
        const there = at ? spans[at - 1].filter(([from, to]) => from <= row[0] && row[0] <= to).length : 0;
        return at && parts[at - 1] < there ? undefined : value;
    }));
}

/// At most so many rows: means of as many neighbours each.
export function thinned(all, most) {
    const each = Math.ceil(all.length / most);
    if (each < 2) return all;
    const thin = [];
    for (let at = 0; at < all.length; at += each) {
        const some = all.slice(at, at + each);
        thin.push(some[0].map((_, column) => {
            const there = some.map((row) => row[column]).filter(isThere);
            return there.length ? there.reduce(sum) / there.length : some[0][column];
        }));
    }
    return thin;
}
