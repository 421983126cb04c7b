use super::*;

const FRACTION: u32 = 0x2002_0400;

/// Rows of each object: instance, process, exceptions, and percent of time in collections.
fn set(fake: &Fake, second: u64, rows: &[(&str, u64, u64, u64)]) {
    let memory = [
        ("# Bytes in all Heaps", NUMBER),
        ("# Gen 0 Collections", NUMBER),
        ("# Gen 1 Collections", NUMBER),
        ("# Gen 2 Collections", NUMBER),
        ("% Time in GC", FRACTION),
        ("Process ID", NUMBER),
    ];
    let values: Vec<[u64; 6]> = rows.iter().map(|(_, pid, n, gc)| [1000 + n, 3 * n, 2 * n, *n, *gc, *pid]).collect();
    let of = |width: usize, values: &[Vec<u64>], columns: &[(&str, u32)]| {
        assert!(values.iter().all(|row| row.len() == width));
        let rows: Vec<(&str, &[u64])> =
            rows.iter().zip(values).map(|((name, ..), values)| (*name, values.as_slice())).collect();
        table(second, columns, &rows)
    };
    let mut answer = of(6, &values.iter().map(|row| row.to_vec()).collect::<Vec<_>>(), &memory);
    for row in &mut answer.rows {
        row.values[4].as_mut().unwrap().base = Some(100);
    }
    fake.set(".NET CLR Memory", Ok(answer));
    let each = |of: fn(u64) -> Vec<u64>| rows.iter().map(|(_, _, n, _)| of(*n)).collect::<Vec<_>>();
    let exceptions = of(1, &each(|n| vec![n]), &[("# of Exceps Thrown", NUMBER)]);
    fake.set(".NET CLR Exceptions", Ok(exceptions));
    let locks = [("Total # of Contentions", NUMBER), ("# of current logical Threads", NUMBER)];
    fake.set(".NET CLR LocksAndThreads", Ok(of(2, &each(|n| vec![10 * n, n]), &locks)));
    fake.set(".NET CLR Jit", Ok(of(1, &each(|n| vec![100 * n]), &[("# of Methods Jitted", NUMBER)])));
}

fn clr(fake: &Fake) -> Box<dyn Collector> {
    iis(fake, r#"{"collector": {"clr": true}}"#)
}

#[test]
fn processes_of_one_image_are_one_series() {
    let fake = Fake::default();
    let mut collector = clr(&fake);
    set(&fake, 0, &[("_Global_", 0, 30, 0), ("w3wp", 10, 10, 5), ("w3wp#1", 11, 20, 7), ("App_p12_r3", 12, 5, 1)]);
    cycle_of_all(&mut collector, Sets::EXTENDED);
    set(&fake, 60, &[("_Global_", 0, 45, 0), ("w3wp", 10, 15, 5), ("w3wp#1", 11, 22, 7), ("App_p12_r3", 12, 6, 1)]);
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    let expected = [
        ("clr.gc.heap.bytes", 2037.0, 1006.0),
        ("clr.gc.gen0.collections", 21.0, 3.0),
        ("clr.gc.gen1.collections", 14.0, 2.0),
        ("clr.gc.gen2.collections", 7.0, 1.0),
        ("clr.gc.time.percent", 7.0, 1.0),
        ("clr.exceptions", 7.0, 1.0),
        ("clr.contentions", 70.0, 10.0),
        ("clr.threads.logical", 37.0, 6.0),
        ("clr.jit.methods", 700.0, 100.0),
    ];
    for (metric, of_w3wp, of_app) in expected {
        assert_eq!(value(&said, metric, "image=w3wp"), Some(of_w3wp), "{metric}");
        assert_eq!(value(&said, metric, "image=App"), Some(of_app), "{metric}");
    }
    assert_eq!(said.samples.iter().filter(|sample| sample.metric.starts_with("clr.")).count(), 2 * expected.len());
}

/// When a process ends those behind it move up: by their numbers the second one's sum was taken for growth of the first.
#[test]
fn a_process_that_ends_takes_nothing_away_and_moves_nothing() {
    let fake = Fake::default();
    let mut collector = clr(&fake);
    let exceptions = |said: &Collected| value(said, "clr.exceptions", "image=w3wp");
    set(&fake, 0, &[("w3wp", 10, 100, 0), ("w3wp#1", 11, 5000, 0)]);
    assert_eq!(exceptions(&cycle_of_all(&mut collector, Sets::EXTENDED)), Some(0.0));
    set(&fake, 60, &[("w3wp", 10, 103, 0), ("w3wp#1", 11, 5001, 0)]);
    assert_eq!(exceptions(&cycle_of_all(&mut collector, Sets::EXTENDED)), Some(4.0));
    set(&fake, 120, &[("w3wp", 11, 5003, 0)]);
    assert_eq!(exceptions(&cycle_of_all(&mut collector, Sets::EXTENDED)), Some(6.0));
    set(&fake, 180, &[("w3wp", 11, 5003, 0), ("w3wp#1", 12, 900, 0)]);
    assert_eq!(exceptions(&cycle_of_all(&mut collector, Sets::EXTENDED)), Some(6.0));
}

/// Known by its pid alone, the second runtime of a process gave each cycle what lies between the two.
#[test]
fn two_runtimes_of_one_process_are_told_apart() {
    let fake = Fake::default();
    let mut collector = clr(&fake);
    let mut exceptions = |second, rows: &[(&str, u64, u64, u64)]| {
        set(&fake, second, rows);
        value(&cycle_of_all(&mut collector, Sets::EXTENDED), "clr.exceptions", "image=w3wp")
    };
    assert_eq!(exceptions(0, &[("w3wp", 10, 100, 0)]), Some(0.0));
    assert_eq!(exceptions(60, &[("w3wp", 10, 9000, 0), ("w3wp#1", 10, 103, 0)]), Some(0.0));
    assert_eq!(exceptions(120, &[("w3wp", 10, 9001, 0), ("w3wp#1", 10, 105, 0)]), Some(3.0));
}

#[test]
fn without_the_process_there_are_no_sums_and_a_row_of_another_name_is_no_other_ones() {
    let fake = Fake::default();
    let mut collector = clr(&fake);
    set(&fake, 0, &[("w3wp", 10, 1, 0)]);
    fake.set(".NET CLR Exceptions", Ok(table(0, &[("# of Exceps Thrown", NUMBER)], &[("other", &[5])])));
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    assert_eq!(tags(&said, "clr.exceptions"), Vec::<String>::new());
    assert_eq!(value(&said, "clr.gc.gen0.collections", "image=w3wp"), Some(0.0));
    fake.remove(".NET CLR Memory");
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    assert!(tags(&said, "clr.contentions").is_empty());
    assert_eq!(value(&said, "clr.threads.logical", "image=w3wp"), Some(1.0));
    assert!(remarks(&said).contains(&("object .NET CLR Memory", "is not installed")));
}

#[test]
fn more_images_than_the_limit_are_left_out() {
    let fake = Fake::default();
    set(&fake, 0, &[("w3wp", 10, 1, 0), ("App", 11, 2, 0), ("w3wp#1", 12, 3, 0)]);
    let mut collector = iis(&fake, r#"{"collector": {"clr": true, "limits": {"images": 1}}}"#);
    let said = cycle_of_all(&mut collector, Sets::EXTENDED);
    assert_eq!(tags(&said, "clr.threads.logical"), ["image=w3wp"]);
    assert_eq!(value(&said, "clr.threads.logical", "image=w3wp"), Some(4.0));
    assert!(said.remarks.iter().any(|(what, _)| what == "too many images"));
}
