//! What an executable for Linux asks of the host it runs on: an interpreter, libraries, symbols of them in versions.
//!
//! A glibc that lacks one version refuses to start the program at all, also where the symbol is never called.
//! Source: the ELF gABI, and the GNU symbol versions of LSB core, chapter 10.7.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use object::LittleEndian as LE;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Sym};

/// Every glibc of a 64-bit PC has these.
const GLIBC_LIBRARIES: [&str; 7] =
    ["ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1"];

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub interpreter: Option<String>,
    pub libraries: BTreeSet<String>,
    pub symbols: BTreeSet<Symbol>,
    /// With the library of each. The loader asks for all of them, also for those that no symbol has.
    pub versions: BTreeSet<(String, String)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    pub version: String,
    pub library: String,
    pub name: String,
}

impl Needs {
    /// Reads them from the whole file.
    ///
    /// # Errors
    /// When it is no executable for 64-bit Linux, or damaged.
    pub fn of(image: &[u8]) -> Result<Self> {
        let file = FileHeader64::<LE>::parse(image).context("not a 64-bit ELF file")?;
        let endian = file.endian()?;
        let mut needs = Self::default();
        for header in file.program_headers(endian, image)? {
            if let Some(path) = header.interpreter(endian, image)? {
                needs.interpreter = Some(text(path));
            }
        }
        let sections = file.sections(endian, image)?;
        let dynamic = sections.dynamic_table(endian, image)?;
        for entry in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
            needs.libraries.insert(text(dynamic.string(entry)?));
        }
        if let Some((libraries, names)) = sections.gnu_verneed(endian, image)? {
            let names = sections.strings(endian, image, names)?;
            for library in libraries {
                let (library, versions) = library?;
                for version in versions {
                    needs.versions.insert((text(version?.name(endian, names)?), text(library.file(endian, names)?)));
                }
            }
        }
        let symbols = sections.symbols(endian, image, object::elf::SHT_DYNSYM)?;
        let Some(versions) = sections.versions(endian, image)? else { return Ok(needs) };
        for (index, symbol) in symbols.enumerate() {
            if !symbol.is_undefined(endian) {
                continue;
            }
            if let Some(version) = versions.version(versions.version_index(endian, index).index())? {
                needs.symbols.insert(Symbol {
                    version: text(version.name()),
                    library: text(version.file().unwrap_or_default()),
                    name: text(symbols.symbol_name(endian, symbol)?),
                });
            }
        }
        Ok(needs)
    }

    /// What a host with this glibc lacks, in words.
    pub fn beyond_glibc(&self, glibc: &str) -> Result<Vec<String>> {
        let oldest = numbers(glibc).with_context(|| format!("{glibc:?} is no version of glibc"))?;
        let foreign = self.libraries.iter().filter(|name| !GLIBC_LIBRARIES.contains(&name.as_str()));
        let mut lacking: Vec<String> = foreign.map(|name| format!("the library {name}")).collect();
        let there =
            |version: &str| version.strip_prefix("GLIBC_").and_then(numbers).is_some_and(|version| version <= oldest);
        for Symbol { version, library, name } in self.symbols.iter().filter(|symbol| !there(&symbol.version)) {
            lacking.push(format!("{name} of {library} in version {version}"));
        }
        for (version, library) in self.versions.iter().filter(|(version, _)| !there(version)) {
            if !self.symbols.iter().any(|symbol| symbol.version == *version && symbol.library == *library) {
                lacking.push(format!("version {version} of {library}, for no symbol"));
            }
        }
        Ok(lacking)
    }

    /// What a host without any library lacks, in words.
    pub fn at_all(&self) -> Vec<String> {
        let interpreter = self.interpreter.iter().map(|path| format!("the interpreter {path}"));
        interpreter.chain(self.libraries.iter().map(|name| format!("the library {name}"))).collect()
    }

    /// The newest glibc that is asked for.
    pub fn newest_glibc(&self) -> Result<String> {
        let versions = self.symbols.iter().filter_map(|symbol| symbol.version.strip_prefix("GLIBC_"));
        let newest = versions.max_by_key(|version| numbers(version));
        ensure!(newest.is_some(), "it needs no symbol of glibc at all: its table was not found");
        Ok(newest.unwrap_or_default().to_owned())
    }
}

/// `2.2.5` is older than `2.17`. A version without numbers, as GLIBC_PRIVATE, is none that a program may need.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use object::read::elf::SectionHeader;

    use super::*;

    fn symbol(version: &str, library: &str, name: &str) -> Symbol {
        Symbol { version: version.into(), library: library.into(), name: name.into() }
    }

    fn needs(symbols: impl IntoIterator<Item = Symbol>, libraries: &[&str]) -> Needs {
        Needs {
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".into()),
            libraries: libraries.iter().map(|name| (*name).to_owned()).collect(),
            symbols: symbols.into_iter().collect(),
            versions: BTreeSet::new(),
        }
    }

    #[test]
    fn a_newer_symbol_and_a_library_of_others_are_refused_by_name() {
        let old = [symbol("GLIBC_2.2.5", "libc.so.6", "read"), symbol("GLIBC_2.17", "libc.so.6", "clock_gettime")];
        assert_eq!(needs(old, &["libc.so.6", "libm.so.6"]).beyond_glibc("2.17").unwrap(), [""; 0]);
        let new = [
            symbol("GLIBC_2.34", "libc.so.6", "dlopen"),
            symbol("GLIBC_PRIVATE", "libc.so.6", "__libc_dlopen"),
            symbol("GCC_3.0", "libgcc_s.so.1", "_Unwind_Resume"),
        ];
        let lacking = needs(new, &["libgcc_s.so.1", "libc.so.6"]).beyond_glibc("2.17").unwrap();
        assert_eq!(
            lacking,
            [
                "the library libgcc_s.so.1",
                "_Unwind_Resume of libgcc_s.so.1 in version GCC_3.0",
                "dlopen of libc.so.6 in version GLIBC_2.34",
                "__libc_dlopen of libc.so.6 in version GLIBC_PRIVATE",
            ]
        );
    }

    /// `-z pack-relative-relocs` makes an executable that glibc 2.35 refuses to start, by a version that no symbol has.
    #[test]
    fn a_version_that_no_symbol_has_is_refused_as_well() {
        let mut some = needs([symbol("GLIBC_2.17", "libc.so.6", "clock_gettime")], &["libc.so.6"]);
        some.versions = ["GLIBC_2.17", "GLIBC_ABI_DT_RELR"].map(|version| (version.into(), "libc.so.6".into())).into();
        assert_eq!(some.beyond_glibc("2.17").unwrap(), ["version GLIBC_ABI_DT_RELR of libc.so.6, for no symbol"]);
    }

    #[test]
    fn versions_are_read_where_no_symbol_has_one() {
        let mut image = std::fs::read("/proc/self/exe").unwrap();
        let needs = Needs::of(&image).unwrap();
        let of_symbols = needs.symbols.iter().map(|symbol| (symbol.version.clone(), symbol.library.clone()));
        assert!(of_symbols.collect::<BTreeSet<_>>().is_subset(&needs.versions), "{needs:?}");
        let file = FileHeader64::<LE>::parse(&*image).unwrap();
        let sections = file.sections(LE, &*image).unwrap();
        let section = sections.iter().find(|section| section.sh_type(LE) == object::elf::SHT_GNU_VERSYM).unwrap();
        let (start, end) = (section.sh_offset(LE), section.sh_offset(LE) + section.sh_size(LE));
        // Each symbol is of no version.
        image[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].fill(0);
        let bare = Needs::of(&image).unwrap();
        assert!(bare.symbols.is_empty() && bare.versions == needs.versions, "{bare:?}");
        let lacking = bare.beyond_glibc("2.2").unwrap();
        assert!(lacking.iter().any(|what| what.ends_with(" of libc.so.6, for no symbol")), "{lacking:?}");
    }

    #[test]
    fn the_newest_version_is_that_of_the_greatest_numbers() {
        let some = [symbol("GLIBC_2.2.5", "libc.so.6", "read"), symbol("GLIBC_2.17", "libc.so.6", "clock_gettime")];
        assert_eq!(needs(some, &[]).newest_glibc().unwrap(), "2.17");
        assert!(needs([], &[]).newest_glibc().is_err());
    }

    #[test]
    fn a_program_of_this_system_needs_its_loader_its_libc_and_symbols_of_it() {
        let needs = Needs::of(&std::fs::read("/proc/self/exe").unwrap()).unwrap();
        let lacking = needs.at_all();
        assert!(lacking.iter().any(|what| what.starts_with("the interpreter /lib")), "{lacking:?}");
        assert!(lacking.contains(&"the library libc.so.6".to_owned()), "{lacking:?}");
        let start = needs.symbols.iter().find(|symbol| symbol.name == "__libc_start_main").unwrap();
        assert!(start.library == "libc.so.6" && start.version.starts_with("GLIBC_2."), "{start:?}");
        assert!(
            needs.beyond_glibc("2.2").unwrap().iter().any(|what| what.starts_with("__libc_start_main of libc.so.6"))
        );
    }

    #[test]
    fn what_is_no_executable_is_refused() {
        assert!(Needs::of(b"MZ").is_err());
    }
}
