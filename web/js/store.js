// What the agent told last: its state, and every series.

export const world = {
    state: null,
    /// Unix s: since when it does not answer; 0: it answers.
    gone: 0,
    refused: 0,
    losing: false,
    live: null,
    list: [],
    metrics: {},
    names: new Map(),
    /// Seconds that the agent's clock is ahead of the browser's.
    ahead: 0,
};

const before = new Map();

export const now = () => Date.now() / 1000 + world.ahead;

export function tagsOf(text) {
    const tags = {};
    for (const pair of text ? text.split(",") : []) {
        const at = pair.indexOf("=");
        if (at > 0) tags[pair.slice(0, at)] = pair.slice(at + 1);
    }
    return tags;
}

/// Takes the answer of /ui/series. A counter's rate is known from its second value on.
export function take(answer) {
    world.metrics = answer.metrics;
    world.names = new Map();
    world.list = answer.series.map(([id, metric, tags, value, type, at, step, from]) => {
        const one = { id, metric, tags, value, type, at, step, from, rate: null };
        if (type !== "GAUGE") {
            const last = before.get(id);
            if (last && last.at === at) {
                one.rate = last.rate;
            } else {
                if (last && at > last.at && value >= last.value) one.rate = (value - last.value) / (at - last.at);
                before.set(id, one);
            }
        }
        if (from === "" || from === "plugin") {
            const same = world.names.get(metric);
            if (same) same.push(one);
            else world.names.set(metric, [one]);
        }
        return one;
    });
}

/// A rate that history tells, until there are two values.
export function seed(id, times, values) {
    const last = before.get(id);
    const end = times.length - 1;
    if (!last || last.rate !== null || end < 1 || values[end] < values[end - 1]) return;
    last.rate = (values[end] - values[end - 1]) / (times[end] - times[end - 1]);
    const one = world.list.find((series) => series.id === id);
    if (one) one.rate = last.rate;
}

export const of = (metric) => (world.names.get(metric) || []).filter((one) => one.from === "");

export function value(metric) {
    const [one] = of(metric);
    return one ? one.value : null;
}

export const isStale = (one) => now() - one.at > 3 * Math.max(one.step, 10) + 15;
