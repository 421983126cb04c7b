//! First installations by the MSI, and removals.

use std::fs;

use serde_json::json;

use crate::harness::exe;
use crate::harness::servers::Server;
use crate::host::{DATA, FAILED, Host, PROGRAM, REFUSED, msi};
use crate::machine::{SERVICE, State};
use crate::registry::{EVENT_SOURCES, SERVICES};

const FILES: [&str; 6] =
    ["LICENSE", "README.md", "README.zh-CN.md", "cfg.example.json", "falcon-agent.exe", "install.log"];
const PRODUCTS: &str = r"HKEY_LOCAL_MACHINE\Software\Microsoft\Windows\CurrentVersion\Uninstall";

/// The product's key among those that can be removed.
fn product() -> String {
    let out = std::process::Command::new("msiinfo").arg("export").arg(msi()).arg("Property").output().expect("msiinfo");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let code = text.lines().find_map(|line| line.strip_prefix("ProductCode\t")).expect("a product code");
    format!("{PRODUCTS}\\{}", code.trim())
}

#[test]
fn installed_without_a_property_it_runs_and_removed_it_leaves_its_data() {
    let host = Host::new();
    host.install(&msi(), &[]);
    let machine = &host.machine;
    machine.wait_for(SERVICE, State::Running);
    assert_eq!(machine.files(), FILES, "{}", host.state());
    let image = format!(r#""{PROGRAM}\falcon-agent.exe" service -c "{DATA}\cfg.json""#);
    let service = machine.registration(SERVICE).expect("a service");
    assert_eq!(service.text("ImagePath"), Some(image.clone()));
    assert_eq!(service.text("Start").as_deref(), Some("dword:00000002"));
    assert_eq!(service.text("ObjectName").as_deref(), Some("LocalSystem"));
    assert!(machine.prefix.registry(&format!(r"{EVENT_SOURCES}\{SERVICE}")).is_some());
    let product = machine.prefix.registry(&product()).expect("a product");
    let value = |name: &str| product.text(name);
    assert_eq!(value("DisplayName").as_deref(), Some("falcon-agent"));
    assert_eq!(value("DisplayVersion").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(value("NoModify").as_deref(), Some("dword:00000001"));
    assert!(value("Comments").is_some_and(|text| text.contains("ProgramData")), "{product:?}");
    assert_eq!(host.config()["transfer"]["addrs"], json!([]));
    let log = host.text(r"C:\msi.log").expect("a log of msiexec");
    assert!(log.contains("Install."), "{log}");
    let said = host.text(&format!(r"{PROGRAM}\install.log")).expect("a log of the verbs");
    assert!(said.contains("wrote") && said.contains("cfg.json") && said.contains("is registered"), "{said}");
    // The log was a stranger in the agent's own directory.
    assert!(!said.contains("other things in it"), "{said}");

    // The administrator's from now on.
    let mut config = host.config();
    config["hostname"] = json!("kept");
    machine.write(&format!(r"{DATA}\cfg.json"), &config.to_string());
    // Wine goes on before a service has stopped.
    machine.done(&["stop"]);
    host.remove(&msi());
    assert_eq!((machine.registration(SERVICE), machine.query(SERVICE)), (None, None));
    assert_eq!(machine.prefix.registry(&format!(r"{EVENT_SOURCES}\{SERVICE}")), None);
    assert!(!host.has(PROGRAM) && host.has(&format!(r"{DATA}\logs")), "{}", host.state());
    assert_eq!(host.config(), config);

    host.install(&msi(), &["TRANSFER=127.0.0.1:9", "NOSTART=1"]);
    assert_eq!((host.image(), host.config()), (Some(image), config));
    let said = host.text(&format!(r"{PROGRAM}\install.log")).expect("a log of the verbs");
    assert!(said.contains("not written"), "{said}");
}

#[test]
fn all_properties_together_are_written_into_the_configuration_and_points_arrive() {
    let (host, server) = (Host::new(), Server::good());
    let [transfer, listen] = [format!("TRANSFER={},127.0.0.1:9", server.addr), host.listen()];
    let rest = ["HBS=127.0.0.1:9", "ENDPOINT=网站 01", "INTERVAL=1", "TAGS=idc=上海 一,team=web shop"];
    host.install(&msi(), &[&[transfer.as_str(), &listen], rest.as_slice()].concat());
    host.machine.wait_for(SERVICE, State::Running);
    let config = host.config();
    assert_eq!(config["transfer"]["addrs"], json!([server.addr, "127.0.0.1:9"]), "{config}");
    assert_eq!(config["transfer"]["interval"], json!(1), "{config}");
    assert_eq!(config["heartbeat"]["addrs"], json!(["127.0.0.1:9"]), "{config}");
    assert_eq!(config["hostname"], json!("网站 01"), "{config}");
    assert_eq!(config["http"]["listen"], json!(host.machine.http().to_string()), "{config}");
    assert_eq!(config["default_tags"], json!({ "idc": "上海 一", "team": "web shop" }), "{config}");
    host.machine.answers();
    host.reports(&server, "网站 01");
}

#[test]
fn each_property_alone_is_written_where_it_belongs() {
    let host = Host::new();
    let default = {
        host.install(&msi(), &["NOSTART=1"]);
        host.config()
    };
    for (property, path, expected) in [
        ("TRANSFER=10.0.0.1:8433", "/transfer/addrs", json!(["10.0.0.1:8433"])),
        ("HBS=10.0.0.1:6030", "/heartbeat/addrs", json!(["10.0.0.1:6030"])),
        ("ENDPOINT=web 01", "/hostname", json!("web 01")),
        ("LISTEN=127.0.0.1:1989", "/http/listen", json!("127.0.0.1:1989")),
        ("INTERVAL=30", "/transfer/interval", json!(30)),
        ("TAGS=idc=bj", "/default_tags", json!({ "idc": "bj" })),
    ] {
        host.remove(&msi());
        fs::remove_file(host.machine.prefix.on_linux(&format!(r"{DATA}\cfg.json"))).expect("its configuration");
        host.install(&msi(), &[property, "NOSTART=1"]);
        assert_eq!(host.machine.query(SERVICE).expect("a service").state, State::Stopped, "{property}");
        let mut config = host.config();
        assert_eq!(config.pointer(path), Some(&expected), "{property}: {config}");
        // Nothing else.
        match default.pointer(path) {
            Some(before) => *config.pointer_mut(path).expect("seen") = before.clone(),
            None => drop(config.as_object_mut().expect("an object").remove(path.trim_start_matches('/'))),
        }
        assert_eq!(config, default, "{property}");
    }
}

#[test]
fn a_service_that_cannot_start_does_not_fail_the_installation() {
    let host = Host::new();
    host.machine.write(&format!(r"{DATA}\cfg.json"), "{ \"transfer\": ");
    host.install(&msi(), &[]);
    host.machine.wait_for(SERVICE, State::Stopped);
    assert_eq!(host.text(&format!(r"{DATA}\cfg.json")).as_deref(), Some("{ \"transfer\": "));
    let said = host.text(&format!(r"{PROGRAM}\install.log")).expect("a log of the verbs");
    assert!(said.contains("will not start until this is put right"), "{said}");
    host.remove(&msi());
    assert_eq!(host.machine.query(SERVICE), None);
}

#[test]
fn values_that_make_no_configuration_fail_the_installation_and_leave_nothing() {
    let host = Host::new();
    for (property, named) in [("TRANSFER=t:port", "--transfer"), ("INTERVAL=often", "--interval")] {
        assert_eq!(host.msiexec("/i", &msi(), &[property]), FAILED, "{}", host.state());
        assert_eq!(host.machine.registration(SERVICE), None, "{}", host.state());
        assert!(!host.has(&format!(r"{DATA}\cfg.json")), "{}", host.state());
        // The reason is all that is left.
        assert_eq!(host.machine.files(), ["install.log"], "{}", host.state());
        let said = host.text(&format!(r"{PROGRAM}\install.log")).expect("a log of the verb");
        assert!(said.contains("nothing was changed") && said.contains(named), "{said}");
    }
    // A log that could not be opened failed what was asked for.
    const EXE: &str = r"C:\x\falcon-agent.exe";
    host.machine.write(EXE, "");
    fs::copy(exe(), host.machine.prefix.on_linux(EXE)).expect("a copy");
    let ended = host.machine.prefix.run(EXE, &["install", r"--log=C:\nowhere\install.log", "--interval=often"]);
    let told = [r"C:\nowhere\install.log", "nothing was changed: --interval"];
    assert!(
        ended.code == Some(1) && told.iter().all(|text| ended.err.contains(text)),
        "{:?} {}",
        ended.code,
        ended.err
    );
    // What would get another option into the command line.
    for property in [r#"TAGS=a=b" --user x --endpoint "y"#, r"ENDPOINT=web\", r#"TRANSFER=t:1""#] {
        assert_eq!(host.msiexec("/i", &msi(), &[property]), REFUSED, "{property}\n{}", host.state());
        assert_eq!(host.machine.registration(SERVICE), None, "{}", host.state());
    }
    // And put right it goes on.
    host.install(&msi(), &["TRANSFER=t:1", "NOSTART=1"]);
    assert_eq!(host.config()["transfer"]["addrs"], json!(["t:1"]));
    assert!(host.machine.prefix.registry(&format!(r"{SERVICES}\{SERVICE}")).is_some());
}
