//! What the metric of a counter is called.

use crate::model::{MAX_METRIC, fnv1a};

/// The prefix of names that no entry gives another.
const OURS: &str = "perf";

/// `None`: nothing of the counter's name is left. `prefix`: of the entry; empty: the object's.
pub(super) fn metric(prefix: &str, object: &str, counter: &str) -> Option<String> {
    let counter = Some(part(counter)).filter(|part| !part.is_empty())?;
    let object = part(object);
    let mut name = match (prefix, object.as_str()) {
        ("", "") => format!("{OURS}.{counter}"),
        ("", object) => format!("{OURS}.{object}.{counter}"),
        (prefix, _) => format!("{prefix}.{counter}"),
    };
    if name.len() > MAX_METRIC {
        let hash = fnv1a(name.bytes());
        let end = format!("_{:08x}", (hash ^ (hash >> 32)) & 0xFFFF_FFFF);
        while name.len() + end.len() > MAX_METRIC {
            name.pop();
        }
        name.push_str(&end);
    }
    Some(name)
}

/// Small letters and digits; signs that tell counters apart as words; between them one `_` for whatever else there is.
fn part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    let mut apart = false;
    for c in text.chars() {
        let word = match c {
            '%' => "percent",
            '#' => "number",
            '/' => "per",
            _ => "",
        };
        if word.is_empty() && !c.is_alphanumeric() {
            apart = true;
            continue;
        }
        if (apart || !word.is_empty()) && !part.is_empty() {
            part.push('_');
        }
        part.push_str(word);
        if word.is_empty() {
            part.extend(c.to_lowercase());
        }
        apart = !word.is_empty();
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_small_letters_and_words() {
        let name = |object, counter| metric("", object, counter).unwrap();
        assert_eq!(name("Processor", "% Processor Time"), "perf.processor.percent_processor_time");
        assert_eq!(name("Network Interface", "Bytes Received/sec"), "perf.network_interface.bytes_received_per_sec");
        assert_eq!(name("PhysicalDisk", "Avg. Disk sec/Read"), "perf.physicaldisk.avg_disk_sec_per_read");
        assert_eq!(
            name(".NET CLR Exceptions", "# of Exceps Thrown / sec"),
            "perf.net_clr_exceptions.number_of_exceps_thrown_per_sec"
        );
        assert_eq!(name("MSSQL$A:Locks", "Lock Waits/sec"), "perf.mssql_a_locks.lock_waits_per_sec");
        assert_eq!(name("Speicher", "Verfügbare (MB)"), "perf.speicher.verfügbare_mb");
        assert_eq!(metric("shop.queue", "MSMQ Queue", "Messages in Queue").unwrap(), "shop.queue.messages_in_queue");
        assert_eq!(metric("", "!", "a").unwrap(), "perf.a");
        assert_eq!(metric("", "A", " - "), None);
    }

    #[test]
    fn signs_that_tell_counters_apart_stay() {
        let name = |counter| metric("x", "", counter).unwrap();
        assert_eq!(
            [name("Hits"), name("Hits %"), name("Hits/sec"), name("#Hits")],
            ["x.hits", "x.hits_percent", "x.hits_per_sec", "x.number_hits"]
        );
    }

    #[test]
    fn a_long_name_is_cut_and_stays_apart_from_others() {
        let long = |end: &str| {
            metric("", "An object of a vendor that likes long names", &format!("and its counters {end}")).unwrap()
        };
        assert_eq!(long("a").len(), MAX_METRIC);
        assert!(long("a") != long("b") && long("a").starts_with("perf.an_object_of_a_vendor_that_likes_long_names."));
        let wide = metric("", &"ü".repeat(40), "a").unwrap();
        assert!(wide.len() <= MAX_METRIC && wide.starts_with("perf.ü"), "{wide}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_vendor_writes_the_servers_take_the_name(object in ".{0,80}", counter in ".{0,80}") {
            if let Some(name) = metric("", &object, &counter) {
                let mut cleaned = String::new();
                crate::model::clean(&name, &mut cleaned);
                proptest::prop_assert_eq!(&cleaned, &name);
                proptest::prop_assert!(name.len() <= MAX_METRIC && !name.contains(' '), "{name}");
            }
        }
    }
}
