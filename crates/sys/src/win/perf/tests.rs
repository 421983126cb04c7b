use super::*;
use crate::types::RegistryValue;
use crate::win::{registry_delete_tree, registry_set};

fn write(at: *mut u8, byte: u8, bytes: u32) {
    // SAFETY: `ask` says that so many bytes lie there, and spare ones behind them.
    unsafe { at.write_bytes(byte, bytes as usize) };
}

#[test]
fn a_query_grows_from_64_kib_to_64_mib_and_no_further() {
    let (mut buffer, mut rooms) = (Buffer::default(), Vec::new());
    let answer = ask(&mut buffer, FIRST_BYTES, Duration::ZERO, |_, size| {
        rooms.push(*size);
        // What the call leaves there is no length.
        *size = 7;
        ERROR_MORE_DATA
    });
    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    assert_eq!((rooms.first(), rooms.last()), (Some(&(64 << 10)), Some(&(64 << 20))));
    // None of it is kept.
    assert_eq!(format!("{buffer:?}"), "Buffer(0 words)");
    assert!(rooms.len() <= 12 && rooms.windows(2).all(|pair| pair[0] < pair[1]), "{rooms:?}");
}

#[test]
fn an_answer_is_as_long_as_it_says_and_never_longer_than_its_room() {
    let mut buffer = Buffer::default();
    let mut answer = |says: u32| {
        let answer = ask(&mut buffer, FIRST_BYTES, Duration::ZERO, |at, size| {
            // A library that counts wrong writes behind its room.
            write(at, 5, *size + SPARE_BYTES);
            *size = says;
            NO_ERROR
        });
        answer.unwrap().len()
    };
    assert_eq!([answer(0), answer(13), answer(u32::MAX)], [0, 13, 64 << 10]);
}

// A loop without a limit once held an agent at a host whose counters were busy for good.
#[test]
fn what_is_busy_is_tried_five_times_more() {
    let (mut buffer, mut calls) = (Buffer::default(), 0);
    let answer = ask(&mut buffer, FIRST_BYTES, Duration::ZERO, |_, _| {
        calls += 1;
        ERROR_BUSY
    });
    assert_eq!((answer.unwrap_err().raw_os_error(), calls), (Some(170), 6));
    let mut codes = [ERROR_BUSY, ERROR_NOT_READY, ERROR_MORE_DATA, ERROR_LOCK_FAILED, NO_ERROR].into_iter();
    assert!(ask(&mut buffer, FIRST_BYTES, Duration::ZERO, |_, _| codes.next().unwrap()).is_ok());
    let refused = ask(&mut buffer, FIRST_BYTES, Duration::ZERO, |_, _| 5);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(5));
}

#[test]
fn a_query_for_nothing_is_a_block_without_objects_also_after_a_close() {
    let mut data = PerfData::new();
    data.close();
    for _ in 0..2 {
        let answer = data.query("65534").unwrap();
        let signature: Vec<u8> = "PERF".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(answer.len() >= 88 && answer.starts_with(&signature), "{answer:?}");
        data.close();
    }
    assert_eq!(data.query("a\0b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(data.sizes.get("65534"), Some(&FIRST_BYTES));
}

#[test]
fn sizes_are_remembered_of_so_many_queries_only() {
    let mut data = PerfData::new();
    data.sizes = (0..MOST_QUERIES).map(|query| (query.to_string(), FIRST_BYTES)).collect();
    data.query("65534").unwrap();
    assert_eq!(data.sizes.len(), 1);
}

// Wine has one table of its own for the English names, and an ordinary key for the others.
#[test]
fn names_are_pairs_of_texts() {
    for source in [PerfNames::Text, PerfNames::Data, PerfNames::Registry] {
        let names = perf_names(source).unwrap();
        let texts: Vec<_> = names.split(|unit| *unit == 0).map(String::from_utf16_lossy).collect();
        assert!(texts.len() >= 4 && texts[0] == "1", "{source:?}: {texts:?}");
    }
    let current = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Perflib\CurrentLanguage";
    let bytes: Vec<u8> = "1\u{0}1847\u{0}10000\u{0}W\u{0}\u{0}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    registry_set(current, "Counter", &RegistryValue { kind: 7, bytes }).unwrap();
    let names = String::from_utf16(&perf_names(PerfNames::CurrentLanguage).unwrap()).unwrap();
    assert_eq!(names, "1\u{0}1847\u{0}10000\u{0}W\u{0}\u{0}");
    registry_delete_tree(current).unwrap();
    assert_eq!(perf_names(PerfNames::CurrentLanguage).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(perf_last_counter().is_ok());
}

#[test]
fn a_service_is_disabled_by_any_number_but_zero() {
    let services = r"SOFTWARE\falcon-test\services";
    let value = "Disable Performance Counters";
    for (name, number) in [("on", 0), ("off", 1), ("by a tool", 4)] {
        registry_set(&format!(r"{services}\{name}\Performance"), value, &RegistryValue::number(number)).unwrap();
    }
    registry_set(&format!(r"{services}\text\Performance"), value, &RegistryValue::text("1")).unwrap();
    registry_set(&format!(r"{services}\none"), value, &RegistryValue::number(1)).unwrap();
    let mut disabled = disabled_below(services).unwrap();
    disabled.sort();
    assert_eq!(disabled, ["by a tool", "off"]);
    registry_delete_tree(services).unwrap();
    assert_eq!(disabled_below(services).unwrap(), [""; 0]);
    assert!(perf_disabled().is_ok());
}
