use super::*;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

#[test]
fn the_pool_is_the_word_behind_ap() {
    let of = |line: &str| pool_of(line);
    let real = r#"c:\windows\system32\inetsrv\w3wp.exe -ap "Pool A" -v "v4.0" -l "webengine4.dll" -a \\.\pipe\iisipm6f -h "C:\inetpub\temp\apppools\Pool A\Pool A.config" -w "" -m 0 -t 20 -ta 0"#;
    assert_eq!(of(real).as_deref(), Some("Pool A"));
    assert_eq!(of("w3wp.exe -ap DefaultAppPool -v v4.0").as_deref(), Some("DefaultAppPool"));
    assert_eq!(of(r#""C:\Windows\System32\inetsrv\w3wp.exe"   -AP	"商店 v2" -x"#).as_deref(), Some("商店 v2"));
    // No name of a pool has a quote, yet a foreign program may be called so.
    assert_eq!(of(r#"w3wp -ap "say \"hi\"" "#).as_deref(), Some(r#"say "hi""#));
    assert_eq!(of(r#"w3wp -ap "a""b" c"#).as_deref(), Some(r#"a"b"#));
    assert_eq!(of(r#"w3wp -ap "C:\a\\" -v"#).as_deref(), Some(r"C:\a\"));
    assert_eq!(of(r"w3wp -ap a\\b\c").as_deref(), Some(r"a\\b\c"));
    assert_eq!(of(r#"w3wp -ap "never closed -v x"#).as_deref(), Some("never closed -v x"));
    assert_eq!(of(r#""C:\odd "-ap"\w3wp.exe" -ap x"#).as_deref(), Some("x"), "the program itself has no options");
    // A word within a quoted one is no option.
    assert_eq!(of(r#"w3wp "-x -ap y" -ap z"#).as_deref(), Some("z"));
    for none in ["", "   ", "w3wp.exe", "w3wp.exe -ap", r#"w3wp.exe -ap """#, "-ap x", "w3wp -app x", "\"", "\\\""] {
        assert_eq!(of(none), None, "{none}");
    }
}

#[test]
fn an_instance_begins_with_a_pid() {
    assert_eq!(split_instance("1234_Pool A"), Some((1234, "Pool A")));
    assert_eq!(split_instance("7_a_b"), Some((7, "a_b")), "a pool may have the sign in its name");
    assert_eq!(split_instance("8__Total"), Some((8, "_Total")));
    for none in ["_Total", "Pool", "12", "12_", "+12_a", "1a_b", "99999999999_a", "", "_"] {
        assert_eq!(split_instance(none), None, "{none}");
    }
}

#[test]
fn a_worker_of_iis_runs_from_its_folder() {
    let of = |path: &str| is_of_iis(Path::new(path));
    assert!(of(r"C:\Windows\System32\inetsrv\w3wp.exe") && of(r"c:\windows\syswow64\INETSRV\W3WP.EXE"));
    assert!(!of(r"C:\tools\w3wp.exe") && !of(r"C:\inetsrv\other\w3wp.exe") && !of(r"C:\x\inetsrv\w3wp.exe.exe"));
    assert!(!of("w3wp.exe") && !of(r"C:\myinetsrv\w3wp.exe"));
}

type Asked = Arc<Mutex<Vec<u32>>>;

/// The answers for a pid, and which pids were asked for their command line.
fn facts(lines: &[(u32, Result<&str, io::ErrorKind>)], asked: &Asked) -> Facts {
    let lines: HashMap<u32, Result<String, io::ErrorKind>> =
        lines.iter().map(|(pid, line)| (*pid, line.map(str::to_owned))).collect();
    let asked = asked.clone();
    let image = |pid: u32| match pid {
        900.. => Ok(PathBuf::from(r"D:\tools\w3wp.exe")),
        800.. => Err(io::ErrorKind::PermissionDenied.into()),
        _ => Ok(PathBuf::from(r"C:\Windows\System32\inetsrv\w3wp.exe")),
    };
    let command_line = move |pid: u32| {
        asked.lock().unwrap().push(pid);
        lines.get(&pid).cloned().unwrap_or(Err(io::ErrorKind::NotFound)).map_err(io::Error::from)
    };
    Facts { command_line: Box::new(command_line), image_path: Box::new(image) }
}

fn process(pid: u32, created: u64) -> Proc {
    Proc { pid, created, name: "w3wp.exe".to_owned(), ..Proc::default() }
}

fn of(pool: &str) -> Worker {
    Worker::Of(pool.to_owned())
}

#[test]
fn a_command_line_is_read_once_in_the_life_of_a_process() {
    let asked = Asked::default();
    let mut workers = Workers::new(facts(&[(1, Ok("w3wp -ap A")), (2, Ok("w3wp -x")), (3, Ok("w3wp -ap C"))], &asked));
    let table = [process(1, 10), process(2, 10), process(3, 10)];
    let none = HashMap::new();
    for _ in 0..3 {
        assert_eq!(workers.of(&table, &none), [of("A"), Worker::Foreign, of("C")]);
    }
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3]);
    // The pid of one that ended is given again.
    assert_eq!(workers.of(&[process(1, 11)], &none), [of("A")]);
    assert_eq!(*asked.lock().unwrap(), [1, 2, 3, 1]);
    assert_eq!(workers.known.len(), 1, "what has ended is forgotten");
}

#[test]
fn counters_tell_what_the_command_line_does_not_and_never_what_it_does() {
    let asked = Asked::default();
    let denied = Err(io::ErrorKind::PermissionDenied);
    let mut workers = Workers::new(facts(&[(1, Ok("w3wp -ap A")), (2, denied), (3, denied), (801, denied)], &asked));
    let table = [process(1, 1), process(2, 1), process(3, 1), process(801, 1), process(901, 1)];
    // The counters of pid 1 are those of a worker that ended; 901 is a program of somebody else.
    let counted = [(1, "Old"), (2, "B"), (801, "D"), (901, "X")].map(|(pid, pool)| (pid, pool.to_owned())).into();
    let refused = |worker: &Worker| matches!(worker, Worker::Unknown(why) if why.contains("denied"));
    for _ in 0..5 {
        let found = workers.of(&table, &counted);
        assert_eq!((&found[0], &found[1], &found[3], &found[4]), (&of("A"), &of("B"), &of("D"), &Worker::Foreign));
        assert!(refused(&found[2]), "{found:?}");
    }
    let times = |pid: u32| asked.lock().unwrap().iter().filter(|asked| **asked == pid).count();
    assert_eq!((times(1), times(3), times(901)), (1, usize::from(TRIES), 0));
}

/// A worker whose command line came out empty was a program of somebody else as long as it lived, whatever the counters said.
#[test]
fn an_empty_command_line_is_nobodys_word() {
    let asked = Asked::default();
    let mut workers = Workers::new(facts(&[(1, Ok("")), (2, Ok(" ")), (3, Ok("w3wp.exe"))], &asked));
    let table = [process(1, 1), process(2, 1), process(3, 1)];
    let counted = [(1, "A"), (3, "C")].map(|(pid, pool)| (pid, pool.to_owned())).into();
    let unknown = Worker::Unknown("its command line is empty".to_owned());
    for _ in 0..5 {
        assert_eq!(workers.of(&table, &counted), [of("A"), unknown.clone(), Worker::Foreign]);
    }
    let times = |pid: u32| asked.lock().unwrap().iter().filter(|asked| **asked == pid).count();
    assert_eq!((times(1), times(3)), (usize::from(TRIES), 1));
}

#[test]
fn a_process_that_was_being_made_is_asked_again() {
    let answers = RefCell::new(vec![Ok("w3wp -ap A".to_owned()), Err(io::ErrorKind::InvalidData.into())]);
    let answers = Mutex::new(answers);
    let command_line = move |_| answers.lock().unwrap().borrow_mut().pop().unwrap();
    let image_path = |_| Err(io::ErrorKind::InvalidData.into());
    let facts = Facts { command_line: Box::new(command_line), image_path: Box::new(image_path) };
    let (mut workers, none) = (Workers::new(facts), HashMap::new());
    assert!(matches!(workers.of(&[process(1, 1)], &none)[0], Worker::Unknown(_)));
    assert_eq!(workers.of(&[process(1, 1)], &none), [of("A")]);
    assert_eq!(workers.of(&[process(1, 1)], &none), [of("A")]);
}
