//! A service of Windows from its registration to its end. The program of these tests is the service itself: its registered
//! image path asks for [`serve`] alone. Wine runs all of it but what it does not keep, which is named where it is read.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use falcon_sys::types::{
    NewService, Recovery, ServiceCommand, ServiceControl, ServiceExit, ServiceState, ServiceStatus, Settings, StartMode,
};
use falcon_sys::{
    run_service, service_change, service_control, service_create, service_delete, service_registration,
    service_set_start, service_settings, service_settle, service_start, service_status,
};
use std::ffi::OsString;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What the service is deleted by, also where a test fails.
struct Registered(&'static str);

impl Registered {
    fn new(name: &'static str, image_path: &str) -> Registered {
        service_delete(name).ok();
        service_create(&new(name, image_path)).unwrap();
        Registered(name)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        service_control(self.0, ServiceCommand::Stop).ok();
        service_delete(self.0).ok();
    }
}

fn new<'a>(name: &'a str, image_path: &'a str) -> NewService<'a> {
    let display_name = name;
    NewService { name, display_name, image_path, start: StartMode::Manual, account: None, password: None }
}

const HARMLESS: &str = r"C:\windows\system32\notepad.exe";

fn code<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

#[test]
fn a_registration_is_read_back_changed_and_deleted() {
    let name = "falcon-test-registration";
    let registered = Registered::new(name, HARMLESS);
    assert_eq!(code(service_create(&new(name, HARMLESS))), 1073);
    let before = service_registration(name).unwrap().unwrap();
    assert_eq!((before.image_path.as_str(), before.start, before.kind), (HARMLESS, StartMode::Manual, 16));
    assert_eq!((before.account.as_str(), before.delayed), ("LocalSystem", false));
    let path = "\"C:\\Program Files\\\u{4EE3}\u{7406} x\\falcon-agent.exe\" service -c \"C:\\a b\\cfg.json\"";
    let changed =
        NewService { display_name: "A \u{540D}", image_path: path, start: StartMode::Auto, ..new(name, HARMLESS) };
    service_change(&changed).unwrap();
    let after = service_registration(name).unwrap().unwrap();
    assert_eq!((after.image_path.as_str(), after.start), (path, StartMode::Auto));
    assert_eq!((after.display_name.as_str(), after.account), ("A \u{540D}", before.account));
    let account = r"NT AUTHORITY\LocalService";
    service_change(&NewService { account: Some(account), ..changed }).unwrap();
    assert_eq!(service_registration(name).unwrap().unwrap().account, account);
    // Of a foreign service nothing but its start is touched.
    let image_path = after.image_path.clone();
    service_set_start(name, StartMode::Disabled).unwrap();
    let disabled = service_registration(name).unwrap().unwrap();
    assert_eq!(
        (disabled.start, disabled.image_path, disabled.display_name),
        (StartMode::Disabled, image_path, after.display_name)
    );
    assert_eq!(service_status(name).unwrap().unwrap().state, ServiceState::Stopped);
    assert_eq!(code(service_control(name, ServiceCommand::Stop)), 1062);
    assert_eq!(code(service_start(name, &[])), 1058);
    service_delete(name).unwrap();
    assert_eq!((service_status(name).unwrap(), service_registration(name).unwrap()), (None, None));
    drop(registered);
}

#[test]
fn what_is_not_there_is_none_or_told_by_its_number() {
    let name = "falcon-test-of-no-host";
    assert_eq!(service_status(name).unwrap(), None);
    assert_eq!(service_registration(name).unwrap(), None);
    assert_eq!(service_settings(name).unwrap(), None);
    assert_eq!(code(service_delete(name)), 1060);
    assert_eq!(code(service_start(name, &[])), 1060);
    assert_eq!(code(service_set_start(name, StartMode::Auto)), 1060);
    assert_eq!(service_status("a\0b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn what_is_set_is_read_back_where_it_is_kept() {
    let name = "falcon-test-settings";
    let _registered = Registered::new(name, HARMLESS);
    service_set_start(name, StartMode::Auto).unwrap();
    let seconds = Duration::from_secs;
    let restarts = [seconds(5), seconds(30), seconds(300)];
    let settings = Settings {
        description: "Sends what this host does to Open-Falcon \u{4EE3}\u{7406}",
        delayed: false,
        restarts: &restarts,
        reset_after: seconds(86_400),
        on_non_crash: true,
        own_sid: true,
        preshutdown: seconds(10),
    };
    let refused = service_settle(name, &settings);
    // Wine 8 does not know these levels; what it takes of the others it may not keep.
    for (level, error) in &refused {
        assert!(error.raw_os_error() == Some(124), "{level}: {error}");
    }
    let was_refused = |level| refused.iter().any(|(name, _)| *name == level);
    let back = service_settings(name).unwrap().unwrap();
    assert_eq!(back.description.as_deref(), Some(settings.description));
    let recovery = Recovery { restarts: restarts.map(Some).to_vec(), reset_after: seconds(86_400) };
    assert!(back.recovery.is_none_or(|back| back == recovery));
    assert!(back.delayed.is_none_or(|back| !back));
    assert!(back.on_non_crash.map_or(was_refused("recovery after an exit code"), |back| back));
    assert!(back.own_sid.map_or(was_refused("service SID"), |back| back));
    assert_eq!(back.preshutdown, Some(seconds(10)));
    assert_eq!(service_settle("falcon-test-of-no-host", &settings).len(), 1);
}

/// Asks until the service stands as it should. Ends only where the manager says no, or long after it could have.
fn wait(name: &str, wanted: ServiceState) -> ServiceStatus {
    let begun = Instant::now();
    loop {
        let status = service_status(name).unwrap().unwrap();
        if status.state == wanted {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status:?}, not {wanted:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn image_path() -> String {
    format!("\"{}\" --ignored --exact serve", std::env::current_exe().unwrap().display())
}

#[test]
fn a_service_starts_hears_a_change_and_stops() {
    let name = "falcon-test-service";
    let _registered = Registered::new(name, &image_path());
    service_start(name, &["two words", "7"]).unwrap();
    let running = wait(name, ServiceState::Running);
    assert_eq!((running.accepts, running.checkpoint, running.wait_hint_ms), (0x10D, 0, 0));
    assert_ne!(running.pid, 0);
    assert_eq!(code(service_start(name, &[])), 1056);
    service_control(name, ServiceCommand::ParamChange).unwrap();
    service_control(name, ServiceCommand::Stop).unwrap();
    let stopped = wait(name, ServiceState::Stopped);
    // One change and the two arguments.
    assert_eq!((stopped.win32_exit, stopped.specific_exit), (1066, 1107));
}

#[test]
fn a_stop_while_starting_is_taken_and_signs_of_life_are_given_meanwhile() {
    let name = "falcon-test-slow-start";
    let _registered = Registered::new(name, &image_path());
    service_start(name, &["starts", "0"]).unwrap();
    let begun = Instant::now();
    while service_status(name).unwrap().unwrap().checkpoint < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(service_status(name).unwrap().unwrap().state, ServiceState::StartPending);
    assert_eq!(code(service_control(name, ServiceCommand::ParamChange)), 1061);
    service_control(name, ServiceCommand::Stop).unwrap();
    let stopped = wait(name, ServiceState::Stopped);
    assert_eq!((stopped.win32_exit, stopped.specific_exit), (1066, 1000));
}

#[test]
fn a_service_that_ends_without_a_word_has_aborted() {
    for how in ["returns", "panics"] {
        let name = "falcon-test-no-word";
        let _registered = Registered::new(name, &image_path());
        service_start(name, &[how, "0"]).unwrap();
        // Wine's manager takes a process that ends while it looks at the start for one that never was.
        wait(name, ServiceState::Running);
        service_control(name, ServiceCommand::ParamChange).unwrap();
        let stopped = wait(name, ServiceState::Stopped);
        assert_eq!((stopped.win32_exit, stopped.specific_exit), (1067, 0), "{how}");
    }
}

/// The service. Ends with 1000, and 100 for each change that it was told, and the last of its arguments.
#[test]
#[ignore = "run by the service control manager"]
fn serve() {
    run_service(Box::new(|service, arguments| {
        let arguments: Vec<String> = arguments.into_iter().map(|a| OsString::into_string(a).unwrap()).collect();
        let [how, number] = arguments.as_slice() else { return };
        let (controls, told) = mpsc::channel();
        service.on_control(move |control| controls.send(control).unwrap());
        if how != "starts" {
            service.running();
        }
        let mut changes = 0;
        while told.recv().unwrap() == ServiceControl::ParamChange {
            changes += 1;
            match how.as_str() {
                "returns" => return,
                "panics" => panic!("as it was told"),
                _ => {}
            }
        }
        service.stop_pending(Duration::from_secs(3));
        service.running();
        service.stopped(ServiceExit::Specific(1000 + 100 * changes + number.parse::<u32>().unwrap()));
    }))
    .unwrap();
}
