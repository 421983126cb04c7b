//! Agents of before, and services that are none of ours: registered as their own installers left them, with a small
//! service of `interop/service` (`FALCON_TEST_SERVICE`) where they had Python or nssm.

use std::fs;
use std::path::PathBuf;

use crate::machine::Machine;
use crate::registry::SERVICES;

/// Where `InstallService` of pywin32 found its host process.
const PYTHON_SERVICE: &str = r"C:\Python27\Lib\site-packages\win32\PythonService.exe";
const NSSM: &str = r"C:\nssm\nssm.exe";

impl Machine {
    /// Puts the test service at a path, once: another service may run it.
    pub fn place(&self, path: &str) {
        let service: PathBuf = std::env::var_os("FALCON_TEST_SERVICE").expect("FALCON_TEST_SERVICE").into();
        let to = self.prefix.on_linux(path);
        if to.exists() {
            return;
        }
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(service, to).expect("a copy");
    }

    /// Writes a file of an older agent.
    pub fn write(&self, path: &str, text: &str) {
        let to = self.prefix.on_linux(path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::write(to, text).expect("a file");
    }

    /// Registers a service that starts by itself.
    fn register(&self, name: &str, display_name: &str, image: &str) {
        let image = format!("\"{image}\"");
        let create = ["create", name, "binpath=", &image, "displayname=", display_name, "start=", "auto"];
        self.sc(&create).success();
    }

    /// What `python agent.py install` and `start` made of a service class, named `MODULE.CLASS` below a folder.
    pub fn pywin32(&self, name: &str, display_name: &str, class: &str) {
        self.place(PYTHON_SERVICE);
        self.register(name, display_name, PYTHON_SERVICE);
        self.prefix.set_registry(&format!(r"{SERVICES}\{name}\PythonClass"), None, "REG_SZ", class);
        self.sc(&["start", name]).success();
    }

    /// What `nssm install` and `start` made of a program.
    pub fn nssm(&self, name: &str, application: &str, directory: &str, parameters: &str) {
        self.place(NSSM);
        self.place(application);
        self.register(name, name, NSSM);
        let key = format!(r"{SERVICES}\{name}\Parameters");
        for (value, data) in [("Application", application), ("AppDirectory", directory), ("AppParameters", parameters)]
        {
            self.prefix.set_registry(&key, Some(value), "REG_EXPAND_SZ", data);
        }
        self.sc(&["start", name]).success();
    }
}
