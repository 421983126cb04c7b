//! Products and their versions: which instances of SQL Server there are, which IIS, which Windows.
//!
//! Source: what their setups write to the registry. An instance of 32 bits stands in the view of 32-bit programs.

use super::reg::{number_value, text_below, text_value};
use super::registry::{Key, READ, find, value_at};
use crate::types::SqlInstance;
use std::{io, ptr};
use windows_sys::Win32::System::Registry::{KEY_WOW64_32KEY, KEY_WOW64_64KEY};
use windows_sys::core::PCWSTR;
use windows_sys::w;

const SQL: &str = r"SOFTWARE\Microsoft\Microsoft SQL Server";

/// SQL Server supports 50 on a host.
const MOST_INSTANCES: usize = 256;

/// The instances of SQL Server, of 64 and of 32 bits; none where it is not installed. Those of LocalDB are not registered.
///
/// # Errors
/// Those of the calls, for the list; of an instance whose own keys cannot be read, these are unknown.
pub fn sql_instances() -> io::Result<Vec<SqlInstance>> {
    instances(SQL)
}

fn instances(below: &str) -> io::Result<Vec<SqlInstance>> {
    let mut all: Vec<SqlInstance> = Vec::new();
    for view in [KEY_WOW64_64KEY, KEY_WOW64_32KEY] {
        let Some(names) = find(&format!(r"{below}\Instance Names\SQL"), READ | view)? else { continue };
        for at in 0..MOST_INSTANCES {
            let Some((name, id)) = value_at(&names, at)? else { break };
            let Some(id) = id.as_text().filter(|id| !id.is_empty() && !name.is_empty()) else { continue };
            if all.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                continue;
            }
            let own = |key: &str| find(&format!(r"{below}\{id}\{key}"), READ | view);
            let version = own("Setup").ok().flatten().and_then(|setup| version(&setup));
            let is_clustered = matches!(own("Cluster"), Ok(Some(_)));
            all.push(SqlInstance { name, id, version, is_clustered });
        }
    }
    Ok(all)
}

/// `Version` stays as it was installed.
fn version(setup: &Key) -> Option<String> {
    let text = |name: PCWSTR| text_below(setup.raw(), ptr::null(), name).ok().flatten().filter(|text| !text.is_empty());
    text(w!("PatchLevel")).or_else(|| text(w!("Version")))
}

/// The version of IIS, as 10.0; `None` where it is not installed.
///
/// # Errors
/// Those of RegGetValueW.
pub fn iis_version() -> io::Result<Option<(u32, u32)>> {
    version_of(w!("SOFTWARE\\Microsoft\\InetStp"))
}

fn version_of(key: PCWSTR) -> io::Result<Option<(u32, u32)>> {
    let Some(major) = number_value(key, w!("MajorVersion"))? else { return Ok(None) };
    Ok(Some((major, number_value(key, w!("MinorVersion"))?.unwrap_or(0))))
}

/// `CurrentVersion` says 6.3 for ever: from Windows 10 on there are numbers beside it.
///
/// # Errors
/// Those of RegGetValueW; [`io::ErrorKind::NotFound`] where the registry does not tell.
pub(super) fn windows_version() -> io::Result<String> {
    const KEY: PCWSTR = w!("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion");
    let build = text_value(KEY, w!("CurrentBuildNumber"))?.ok_or(io::ErrorKind::NotFound)?;
    let version = match number_value(KEY, w!("CurrentMajorVersionNumber"))? {
        Some(major) => format!("{major}.{}", number_value(KEY, w!("CurrentMinorVersionNumber"))?.unwrap_or(0)),
        None => text_value(KEY, w!("CurrentVersion"))?.ok_or(io::ErrorKind::NotFound)?,
    };
    Ok(format!("{version}.{build}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RegistryValue;
    use crate::win::{registry_delete_tree, registry_set};

    fn set(key: &str, name: &str, text: &str) {
        registry_set(key, name, &RegistryValue::text(text)).unwrap();
    }

    #[test]
    fn a_host_without_them_has_none() {
        assert_eq!(instances(r"SOFTWARE\falcon-test\no sql").unwrap(), []);
        assert_eq!(version_of(w!("SOFTWARE\\falcon-test\\no iis")).unwrap(), None);
        assert!(sql_instances().is_ok() && iis_version().is_ok());
    }

    #[test]
    fn windows_has_a_version_of_three_numbers() {
        let version = windows_version().unwrap();
        assert_eq!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{version}");
    }

    // `MSSQL.1` was once taken for an instance of that name, and one of 32 bits was not seen at all.
    #[test]
    fn instances_have_the_names_they_are_registered_with_in_both_views() {
        let (wide, narrow) = (r"SOFTWARE\falcon-test\sql", r"SOFTWARE\Wow6432Node\falcon-test\sql");
        for key in [wide, narrow] {
            registry_delete_tree(key).unwrap();
        }
        set(&format!(r"{wide}\Instance Names\SQL"), "MSSQLSERVER", "MSSQL15.MSSQLSERVER");
        set(&format!(r"{wide}\Instance Names\SQL"), "\u{751F}\u{4EA7}", "MSSQL.1");
        set(&format!(r"{wide}\Instance Names\SQL"), "NoId", "");
        registry_set(&format!(r"{wide}\Instance Names\SQL"), "Number", &RegistryValue::number(7)).unwrap();
        set(&format!(r"{wide}\MSSQL15.MSSQLSERVER\Setup"), "Version", "15.0.2000.5");
        set(&format!(r"{wide}\MSSQL15.MSSQLSERVER\Setup"), "PatchLevel", "15.0.4316.3");
        set(&format!(r"{wide}\MSSQL15.MSSQLSERVER\Cluster"), "ClusterName", "c1");
        set(&format!(r"{narrow}\Instance Names\SQL"), "mssqlserver", "another");
        set(&format!(r"{narrow}\Instance Names\SQL"), "OLD", "MSSQL10.OLD");
        set(&format!(r"{narrow}\MSSQL10.OLD\Setup"), "Version", "10.0.1600.22");
        let told = |name: &str, id: &str, version: Option<&str>, is_clustered| SqlInstance {
            name: name.to_owned(),
            id: id.to_owned(),
            version: version.map(str::to_owned),
            is_clustered,
        };
        let mut found = instances(wide).unwrap();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let expected = [
            told("MSSQLSERVER", "MSSQL15.MSSQLSERVER", Some("15.0.4316.3"), true),
            told("OLD", "MSSQL10.OLD", Some("10.0.1600.22"), false),
            told("\u{751F}\u{4EA7}", "MSSQL.1", None, false),
        ];
        assert_eq!(found, expected);
        for key in [wide, narrow] {
            registry_delete_tree(key).unwrap();
        }
    }

    #[test]
    fn a_version_is_two_numbers() {
        let key = r"SOFTWARE\falcon-test\InetStp";
        registry_set(key, "MajorVersion", &RegistryValue::number(8)).unwrap();
        let read = || version_of(w!("SOFTWARE\\falcon-test\\InetStp")).unwrap();
        assert_eq!(read(), Some((8, 0)));
        registry_set(key, "MinorVersion", &RegistryValue::number(5)).unwrap();
        assert_eq!(read(), Some((8, 5)));
        registry_delete_tree(key).unwrap();
    }
}
