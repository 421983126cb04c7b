use super::*;
use crate::collect::Collected;
use crate::collect::tests::with_cx;

fn names(said: &Collected) -> Vec<&str> {
    said.samples.iter().map(|sample| sample.metric.as_ref()).collect()
}

#[test]
fn each_platform_has_its_own_source_of_the_same_names() {
    for (platform, ours, others) in [
        (Platform::Linux, [&ONE, &FIVE, &FIFTEEN], [&EMULATED_1, &EMULATED_5, &EMULATED_15]),
        (Platform::Windows, [&EMULATED_1, &EMULATED_5, &EMULATED_15], [&ONE, &FIVE, &FIFTEEN]),
    ] {
        let (_, said) = with_cx(Sets::FALCON, platform, |cx| {
            emit(cx, ours, [1.0, 5.0, 15.0]);
            emit(cx, others, [9.0; 3]);
        });
        assert_eq!(names(&said), ["load.1min", "load.5min", "load.15min"], "{platform:?}");
        assert_eq!(said.samples[2].value.get(), 15.0);
    }
}

#[test]
fn emulated_averages_begin_with_the_second_reading() {
    let mut load = Load { host: Host::new("/"), sampler: None };
    let mut emulate = || with_cx(Sets::FALCON, Platform::Windows, |cx| load.emulate(cx, 3)).1;
    let first = emulate();
    assert_eq!((names(&first), first.problems.len()), (vec![], 0));
    // Until the kernel has counted some more time.
    let second = (0..).map(|_| emulate()).find(|said| !said.samples.is_empty()).expect("time passes");
    assert_eq!(names(&second), ["load.1min", "load.5min", "load.15min"]);
    assert!(second.samples.iter().all(|sample| sample.value.get() >= 3.0), "the queue and what is busy");
}

/// The averages are not asked for where no active set has them: then there is no thread.
#[test]
fn a_set_without_averages_starts_no_sampler() {
    let mut load = Load { host: Host::new("/"), sampler: None };
    let (result, said) = with_cx(Sets::LEONZYANG, Platform::Windows, |cx| load.collect(cx));
    assert!(result.is_ok() && load.sampler.is_none());
    assert_eq!(names(&said), ["load.load1", "load.load5", "load.load15"]);
}
