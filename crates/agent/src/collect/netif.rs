//! `net.if.*`: counters of network interfaces since boot.
//!
//! Linux: `/proc/net/dev` and `/sys/class/net/*/speed`. Windows: GetIfTable2. Which interfaces are shown:
//! `collector.ifacePrefix` (a *prefix* on Linux, *contained* on Windows, as in the agents it comes from; empty: all), less
//! those that contain a text of `collector.ifacePrefixIgnore`.

use std::collections::HashMap;
use std::sync::Arc;

use falcon_sys::Host;
use falcon_sys::types::{Extent, NetIf};

use super::{Collector, Context, Cx, Guard, Guarded, Lane, Spec, float};
use crate::config::Config;
use crate::model::{Metric, On, Platform, Sets, Tags};

const DEV: &str = "/proc/net/dev; MIB_IF_ROW2";
const DEV_LINUX: &str = "/proc/net/dev";
const SPEED: &str = "/sys/class/net/IF/speed; MIB_IF_ROW2.TransmitLinkSpeed";
const ZERO: &str = "constant 0, as the Go agents for Windows send it";
const IFACE: &[&str] = &["iface"];
const INTERFACE: &[&str] = &["interface"];

const fn go(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::GO, DEV).tags(IFACE).help(help)
}
const fn falcon(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::FALCON, DEV).tags(IFACE).help(help)
}
const fn linux(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::FALCON, DEV_LINUX).tags(IFACE).on(On::Linux).help(help)
}
const fn python(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, unit, Sets::WINDOWS_AGENT, DEV).tags(INTERFACE).help(help)
}

const IN_BYTES: Metric = go("net.if.in.bytes", "B", "received");
const OUT_BYTES: Metric = go("net.if.out.bytes", "B", "sent");
const TOTAL_BYTES: Metric = go("net.if.total.bytes", "B", "received and sent");
const IN_PACKETS: Metric = go("net.if.in.packets", "packets", "received");
const OUT_PACKETS: Metric = go("net.if.out.packets", "packets", "sent");
const TOTAL_PACKETS: Metric = go("net.if.total.packets", "packets", "received and sent");
const IN_ERRORS: Metric = go("net.if.in.errors", "packets", "received with errors");
const OUT_ERRORS: Metric = go("net.if.out.errors", "packets", "not sent because of errors");
const TOTAL_ERRORS: Metric = go("net.if.total.errors", "packets", "errors of both directions");
const IN_DROPPED: Metric = go("net.if.in.dropped", "packets", "received and dropped");
const OUT_DROPPED: Metric = go("net.if.out.dropped", "packets", "dropped before sending");
const TOTAL_DROPPED: Metric = go("net.if.total.dropped", "packets", "dropped, both directions");
const IN_BITS: Metric = falcon("net.if.in.bits", "bit", "received");
const OUT_BITS: Metric = falcon("net.if.out.bits", "bit", "sent");
const TOTAL_BITS: Metric = falcon("net.if.total.bits", "bit", "received and sent");
const IN_MULTICAST: Metric = falcon("net.if.in.multicast", "packets", "multicast (Windows: and broadcast) received");
const IN_PERCENT: Metric = falcon("net.if.in.percent", "%", "its rate is the share of the link's speed in use inwards");
const OUT_PERCENT: Metric =
    falcon("net.if.out.percent", "%", "its rate is the share of the link's speed in use outwards");
const SPEED_BITS: Metric = Metric::gauge("net.if.speed.bits", "bit/s", Sets::FALCON, SPEED)
    .tags(IFACE)
    .help("link speed; Linux: 0 when unknown; Windows: absent when unknown");
const IN_FIFO: Metric = linux("net.if.in.fifo.errs", "packets", "receive queue overruns");
const OUT_FIFO: Metric = linux("net.if.out.fifo.errs", "packets", "send queue overruns");
const IN_FIFO_ZERO: Metric =
    Metric::counter("net.if.in.fifo.errs", "packets", Sets::FREEDOMKK.and(Sets::LEONZYANG), ZERO)
        .tags(IFACE)
        .on(On::Windows)
        .help("always 0");
const OUT_FIFO_ZERO: Metric = Metric { name: "net.if.out.fifo.errs", ..IN_FIFO_ZERO };
const IN_FRAME: Metric = linux("net.if.in.frame.errs", "packets", "received with framing errors");
const IN_COMPRESSED: Metric = linux("net.if.in.compressed", "packets", "received compressed");
const OUT_COLLISIONS: Metric = linux("net.if.out.collisions", "packets", "collisions");
const OUT_CARRIER: Metric = linux("net.if.out.carrier.errs", "packets", "carrier losses while sending");
const OUT_COMPRESSED: Metric = linux("net.if.out.compressed", "packets", "sent compressed");
const UP: Metric = Metric::gauge("net.if.up", "1", Sets::EXTENDED, "MIB_IF_ROW2.OperStatus")
    .tags(IFACE)
    .on(On::Windows)
    .help("1 when the link is up; hardware adapters only");

const OUT_QUEUE: Metric = Metric::gauge("net.if.out.qlen", "packets", Sets::EXTENDED, "MIB_IF_ROW2.OutQLen")
    .tags(IFACE)
    .on(On::Windows)
    .option("outQueue")
    .help("packets that wait to be sent");

const PY_IN_MBITS: Metric =
    python("net.if.in.mbits", "0.1 Mbit", "received, in tenths of a megabit: the rate is 10 x Mbit/s");
const PY_OUT_MBITS: Metric =
    python("net.if.out.mbits", "0.1 Mbit", "sent, in tenths of a megabit: the rate is 10 x Mbit/s");
const PY_IN_PACKETS: Metric = python("net.if.in.packets", "packets", "received");
const PY_OUT_PACKETS: Metric = python("net.if.out.packets", "packets", "sent");
const PY_IN_ERROR: Metric = python("net.if.in.error", "packets", "received with errors");
const PY_OUT_ERROR: Metric = python("net.if.out.error", "packets", "not sent because of errors");
const PY_IN_DROP: Metric = python("net.if.in.drop", "packets", "received and dropped");
const PY_OUT_DROP: Metric = python("net.if.out.drop", "packets", "dropped before sending");

pub(super) const SPEC: Spec = Spec {
    name: "netif",
    check: "net.if",
    lane: Lane::Host,
    rates: false,
    metrics: &[
        IN_BYTES,
        OUT_BYTES,
        TOTAL_BYTES,
        IN_PACKETS,
        OUT_PACKETS,
        TOTAL_PACKETS,
        IN_ERRORS,
        OUT_ERRORS,
        TOTAL_ERRORS,
        IN_DROPPED,
        OUT_DROPPED,
        TOTAL_DROPPED,
        IN_BITS,
        OUT_BITS,
        TOTAL_BITS,
        IN_MULTICAST,
        IN_PERCENT,
        OUT_PERCENT,
        SPEED_BITS,
        IN_FIFO,
        OUT_FIFO,
        IN_FIFO_ZERO,
        OUT_FIFO_ZERO,
        IN_FRAME,
        IN_COMPRESSED,
        OUT_COLLISIONS,
        OUT_CARRIER,
        OUT_COMPRESSED,
        UP,
        OUT_QUEUE,
        PY_IN_MBITS,
        PY_OUT_MBITS,
        PY_IN_PACKETS,
        PY_OUT_PACKETS,
        PY_IN_ERROR,
        PY_OUT_ERROR,
        PY_IN_DROP,
        PY_OUT_DROP,
    ],
    options: &[],
    open: |cx: &Context| {
        let filter = Filter { config: cx.config.clone(), platform: Platform::CURRENT };
        let guard = Guard::new(Guarded::Interfaces, &cx.config, &cx.stats);
        Ok(Some(Box::new(NetIfs::new(cx.host.clone(), filter, guard))))
    },
};

struct NetIfs {
    host: Host,
    filter: Filter,
    guard: Guard,
    /// Read into again and again.
    table: Vec<NetIf>,
    /// Places in `table` of what is shown.
    shown: Vec<usize>,
    links: HashMap<String, Link>,
    cycle: u64,
}

impl NetIfs {
    fn new(host: Host, filter: Filter, guard: Guard) -> NetIfs {
        NetIfs { host, filter, guard, table: Vec::new(), shown: Vec::new(), links: HashMap::new(), cycle: 0 }
    }
}

impl Collector for NetIfs {
    fn collect(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<()> {
        let NetIfs { host, filter, guard, table, shown, links, cycle } = self;
        if host.net_ifs(table)? == Extent::Cut {
            cx.problem("interfaces", format!("only the first {} are read", table.len()));
        }
        filter.apply(table, shown, cx);
        let name = |place: &usize| table.get(*place).map_or_else(String::new, |interface| interface.name.clone());
        // An adapter that somebody plugged in before the thousandth virtual one.
        guard.apply(cx, shown, name, |place| u8::from(table.get(*place).is_none_or(|interface| !interface.hardware)));
        *cycle += 1;
        for interface in shown.iter().filter_map(|place| table.get(*place)) {
            if links.get(&interface.name).is_none_or(|link| link.id != interface.id) {
                links.insert(interface.name.clone(), Link::new(interface));
            }
            let Some(link) = links.get_mut(&interface.name) else { continue };
            link.advance(interface, *cycle);
            emit(cx, interface, link, filter.platform);
        }
        links.retain(|_, link| link.cycle == *cycle);
        Ok(())
    }
}

/// Which interfaces are shown.
struct Filter {
    config: Arc<Config>,
    platform: Platform,
}

impl Filter {
    /// Fills `shown` with the places of the interfaces to report.
    fn apply(&self, all: &[NetIf], shown: &mut Vec<usize>, cx: &mut Cx<'_>) {
        let (wanted, hidden) = (&self.config.collector.iface_prefix, &self.config.collector.iface_prefix_ignore);
        let matches = |interface: &NetIf| match self.platform {
            _ if wanted.is_empty() => true,
            Platform::Linux => wanted.iter().any(|prefix| interface.name.starts_with(prefix.as_str())),
            Platform::Windows => wanted.iter().any(|text| interface.name.contains(text.as_str())),
        };
        let is_hidden = |interface: &NetIf| hidden.iter().any(|text| interface.name.contains(text.as_str()));
        let visible = || all.iter().enumerate().filter(|(_, interface)| !is_hidden(interface));
        shown.clear();
        shown.extend(visible().filter(|(_, interface)| matches(interface)).map(|(place, _)| place));
        // A list written for Linux (eth, em, ens) says nothing about this host: better all adapters than none.
        if self.platform == Platform::Windows && shown.is_empty() && !wanted.is_empty() && visible().next().is_some() {
            shown.extend(visible().map(|(place, _)| place));
            let names: Vec<_> = visible().map(|(_, interface)| interface.name.as_str()).collect();
            let why = format!("matches no adapter of this host ({}); it is ignored", names.join(", "));
            cx.remark("collector.ifacePrefix", why);
        }
    }
}

/// What is kept of an interface from cycle to cycle.
///
/// The share of the link's speed is a growing number. It starts where the Go agent's formula puts it (all bytes since
/// boot over the speed) and then grows by what came since, at the speed of that time: a link that changes its speed, or
/// whose speed becomes known, makes no jump.
#[derive(Debug, Default)]
struct Link {
    id: u64,
    iface: Tags,
    interface: Tags,
    /// The cycle in which it was last there.
    cycle: u64,
    seen: Option<(u64, u64)>,
    in_percent: f64,
    out_percent: f64,
}

impl Link {
    fn new(of: &NetIf) -> Link {
        let (iface, interface) = (Tags::of(&[("iface", &of.name)]), Tags::of(&[("interface", &of.name)]));
        Link { id: of.id, iface, interface, ..Link::default() }
    }

    fn advance(&mut self, now: &NetIf, cycle: u64) {
        self.cycle = cycle;
        let seen = self.seen.replace((now.in_bytes, now.out_bytes));
        let Some(speed) = now.speed_bits_per_s else { return };
        let share = |bytes: u64| float(bytes) * 8.0 * 100.0 / float(speed);
        match seen {
            None => (self.in_percent, self.out_percent) = (share(now.in_bytes), share(now.out_bytes)),
            Some((in_bytes, out_bytes)) if now.in_bytes >= in_bytes && now.out_bytes >= out_bytes => {
                self.in_percent += share(now.in_bytes - in_bytes);
                self.out_percent += share(now.out_bytes - out_bytes);
            }
            // Counters that restart, restart; at a speed lower than before that could be above what was said.
            Some(_) => {
                self.in_percent = self.in_percent.min(share(now.in_bytes));
                self.out_percent = self.out_percent.min(share(now.out_bytes));
            }
        }
    }
}

fn emit(cx: &mut Cx<'_>, n: &NetIf, link: &Link, platform: Platform) {
    let tags = &link.iface;
    let both = |a: u64, b: u64| float(a.saturating_add(b));
    let (in_bytes, out_bytes) = (float(n.in_bytes), float(n.out_bytes));
    let counters = [
        (&IN_BYTES, in_bytes),
        (&OUT_BYTES, out_bytes),
        (&TOTAL_BYTES, both(n.in_bytes, n.out_bytes)),
        (&IN_PACKETS, float(n.in_packets)),
        (&OUT_PACKETS, float(n.out_packets)),
        (&TOTAL_PACKETS, both(n.in_packets, n.out_packets)),
        (&IN_ERRORS, float(n.in_errors)),
        (&OUT_ERRORS, float(n.out_errors)),
        (&TOTAL_ERRORS, both(n.in_errors, n.out_errors)),
        (&IN_DROPPED, float(n.in_dropped)),
        (&OUT_DROPPED, float(n.out_dropped)),
        (&TOTAL_DROPPED, both(n.in_dropped, n.out_dropped)),
        (&IN_BITS, in_bytes * 8.0),
        (&OUT_BITS, out_bytes * 8.0),
        (&TOTAL_BITS, both(n.in_bytes, n.out_bytes) * 8.0),
        (&IN_MULTICAST, float(n.in_multicast)),
        (&IN_FIFO, float(n.in_fifo_errors)),
        (&OUT_FIFO, float(n.out_fifo_errors)),
        (&IN_FIFO_ZERO, 0.0),
        (&OUT_FIFO_ZERO, 0.0),
        (&IN_FRAME, float(n.in_frame_errors)),
        (&IN_COMPRESSED, float(n.in_compressed)),
        (&OUT_COLLISIONS, float(n.out_collisions)),
        (&OUT_CARRIER, float(n.out_carrier_errors)),
        (&OUT_COMPRESSED, float(n.out_compressed)),
    ];
    for (metric, value) in counters {
        cx.emit(metric, tags, value);
    }
    if n.speed_bits_per_s.is_some() || platform == Platform::Linux {
        cx.emit(&SPEED_BITS, tags, float(n.speed_bits_per_s.unwrap_or(0)));
        cx.emit(&IN_PERCENT, tags, link.in_percent);
        cx.emit(&OUT_PERCENT, tags, link.out_percent);
    }
    if let (Some(up), true) = (n.up, n.hardware) {
        cx.emit(&UP, tags, f64::from(u8::from(up)));
    }
    if let Some(queue) = n.out_queue {
        cx.emit(&OUT_QUEUE, tags, float(queue));
    }
    let tags = &link.interface;
    let counters = [
        (&PY_IN_MBITS, in_bytes * 8.0 / 100_000.0),
        (&PY_OUT_MBITS, out_bytes * 8.0 / 100_000.0),
        (&PY_IN_PACKETS, float(n.in_packets)),
        (&PY_OUT_PACKETS, float(n.out_packets)),
        (&PY_IN_ERROR, float(n.in_errors)),
        (&PY_OUT_ERROR, float(n.out_errors)),
        (&PY_IN_DROP, float(n.in_dropped)),
        (&PY_OUT_DROP, float(n.out_dropped)),
    ];
    for (metric, value) in counters {
        cx.emit(metric, tags, value);
    }
}

#[cfg(test)]
mod tests;
