//! What a Windows executable asks the loader for, and whether the oldest Windows it must start on has it; and the resources
//! that it carries.
//!
//! One function missing in Windows 7 and the loader refuses the whole program, so the import table is held against a
//! reviewed list, `xtask/pe-imports.txt`. The format is that of Microsoft's "PE Format", read by the `object` crate.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, bail};
use object::LittleEndian as LE;
use object::read::pe::{Import as Thunk, PeFile64, ResourceDirectoryEntryData as Entry, ResourceNameOrId};

/// One imported function. DLL names are compared without case, as the loader does, and kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    dll: String,
    /// The name, or `#N` for an import by ordinal.
    function: String,
}

impl Import {
    fn new(dll: &str, function: &str) -> Self {
        Self { dll: dll.to_ascii_lowercase(), function: function.to_owned() }
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!{}", self.dll, self.function)
    }
}

/// Everything a 64-bit image imports, delayed imports included.
///
/// # Errors
/// When the bytes are no such image or its tables cannot be followed.
pub fn imports(image: &[u8]) -> Result<BTreeSet<Import>> {
    let file = PeFile64::parse(image).context("not a 64-bit Windows executable")?;
    let mut found = BTreeSet::new();
    if let Some(table) = file.import_table()? {
        let mut dlls = table.descriptors()?;
        while let Some(descriptor) = dlls.next()? {
            let dll = table.name(descriptor.name.get(LE))?;
            let first = match descriptor.original_first_thunk.get(LE) {
                0 => descriptor.first_thunk.get(LE),
                address => address,
            };
            let mut thunks = table.thunks(first)?;
            while let Some(thunk) = thunks.next::<object::pe::ImageNtHeaders64>()? {
                found.insert(import(dll, table.import::<object::pe::ImageNtHeaders64>(thunk)?));
            }
        }
    }
    let directories = file.data_directories();
    if let Some(table) = directories.delay_load_import_table(image, &file.section_table())? {
        let mut dlls = table.descriptors()?;
        while let Some(descriptor) = dlls.next()? {
            let dll = table.name(descriptor.dll_name_rva.get(LE))?;
            let mut thunks = table.thunks(descriptor.import_name_table_rva.get(LE))?;
            while let Some(thunk) = thunks.next::<object::pe::ImageNtHeaders64>()? {
                found.insert(import(dll, table.import::<object::pe::ImageNtHeaders64>(thunk)?));
            }
        }
    }
    Ok(found)
}

fn import(dll: &[u8], thunk: Thunk<'_>) -> Import {
    let function = match thunk {
        Thunk::Ordinal(ordinal) => format!("#{ordinal}"),
        Thunk::Name(_, name) => String::from_utf8_lossy(name).into_owned(),
    };
    Import::new(&String::from_utf8_lossy(dll), &function)
}

/// Types of resources (RT_GROUP_ICON, RT_VERSION, RT_MESSAGETABLE, RT_MANIFEST).
pub const ICONS: u16 = 14;
pub const VERSION: u16 = 16;
const MESSAGE_TABLE: u16 = 11;
pub const MANIFEST: u16 = 24;

/// The first resource of a type, in the first language that it has.
///
/// # Errors
/// When the bytes are no executable or its resources cannot be followed.
pub fn resource(image: &[u8], kind: u16) -> Result<Option<&[u8]>> {
    let file = PeFile64::parse(image).context("not a 64-bit Windows executable")?;
    let sections = file.section_table();
    let Some(resources) = file.data_directories().resource_directory(image, &sections)? else { return Ok(None) };
    let is_it = |id: ResourceNameOrId| matches!(id, ResourceNameOrId::Id(found) if found == kind);
    let mut entry = resources.root()?.entries.iter().find(|entry| is_it(entry.name_or_id()));
    // Below the type comes the name, and below that the language.
    while let Some(found) = entry {
        match found.data(resources)? {
            Entry::Table(table) => entry = table.entries.first(),
            Entry::Data(data) => {
                let at = data.offset_to_data.get(LE);
                let size = usize::try_from(data.size.get(LE))?;
                let bytes = sections.pe_data_at(image, at).and_then(|bytes| bytes.get(..size));
                return bytes.map(Some).context("a resource outside of the sections");
            }
        }
    }
    Ok(None)
}

/// The numbers of the messages in the executable's message table: the lower 16 bits of each identifier. Empty where there is
/// no table.
///
/// # Errors
/// When the bytes are no executable or its resources cannot be followed.
pub fn messages(image: &[u8]) -> Result<Vec<u16>> {
    let Some(table) = resource(image, MESSAGE_TABLE)? else { return Ok(Vec::new()) };
    message_numbers(table).context("a message table that is cut short")
}

/// The file's version, and the text of a name such as `ProductName`, of what [`VERSION`] is (VS_VERSIONINFO: the fixed part
/// behind its name in UTF-16, then names and texts, each ended by a zero and filled up with zeros).
pub fn version_of(resource: &[u8], name: &str) -> Option<([u16; 4], String)> {
    let units: Vec<u16> = resource.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)).collect();
    let fixed = units.windows(2).position(|two| two == [0x04BD, 0xFEEF])?;
    let &[minor, major, build, patch] = units.get(fixed + 4..fixed + 8)? else { return None };
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let behind = units.windows(name.len()).position(|some| some == name)? + name.len();
    let text = units.get(behind..)?.iter().skip_while(|unit| **unit == 0).take_while(|unit| **unit != 0);
    Some(([major, minor, patch, build], String::from_utf16_lossy(&text.copied().collect::<Vec<_>>())))
}

/// MESSAGE_RESOURCE_DATA: a number of blocks, and of each its lowest and highest identifier and where its texts are.
fn message_numbers(table: &[u8]) -> Option<Vec<u16>> {
    let number = |at: usize| Some(u32::from_le_bytes(table.get(at..at + 4)?.try_into().ok()?));
    let mut numbers = Vec::new();
    for block in 0..usize::try_from(number(0)?).ok()? {
        let (low, high) = (number(4 + 12 * block)?, number(8 + 12 * block)?);
        // No table of ours has more.
        let ids = (low..=high).take(1000);
        numbers.extend(ids.map(|id| (id & 0xFFFF) as u16));
    }
    Some(numbers)
}

/// The reviewed list: one `dll!function` a line, `#` begins a comment line.
pub struct Allowed(BTreeSet<Import>);

impl Allowed {
    /// # Errors
    /// Names the first line that is neither an import nor a comment.
    pub fn parse(text: &str) -> Result<Self> {
        let mut set = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((dll, function)) = line.split_once('!') else {
                bail!("line {} is not dll!function: {line}", index + 1);
            };
            set.insert(Import::new(dll, function));
        }
        Ok(Self(set))
    }

    /// One line for every import that is not on the list.
    pub fn refusals(&self, imports: &BTreeSet<Import>) -> Vec<String> {
        let known: BTreeSet<&str> = self.0.iter().map(|import| import.dll.as_str()).collect();
        let refusal = |import: &Import| match known.contains(import.dll.as_str()) {
            true => format!("{import} is not on the list"),
            false => format!("{import}: no function of this DLL is on the list"),
        };
        imports.iter().filter(|import| !self.0.contains(import)).map(refusal).collect()
    }
}

/// How many DLLs a set of imports names.
pub fn dll_count(imports: &BTreeSet<Import>) -> usize {
    imports.iter().map(|import| &import.dll).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_with_its_texts() {
        let text = |text: &str| -> Vec<u16> { text.encode_utf16().chain([0]).collect() };
        let mut units = [vec![0x34, 0x34, 0], text("VS_VERSION_INFO"), vec![0]].concat();
        units.extend([0x04BD, 0xFEEF, 0, 1, 2, 1, 4, 3]);
        units.extend([text("ProductName"), vec![0], text("falcon-agent")].concat());
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(version_of(&bytes, "ProductName"), Some(([1, 2, 3, 4], "falcon-agent".to_owned())));
        assert_eq!(version_of(&bytes, "CompanyName"), None);
        assert_eq!(version_of(&[], "ProductName"), None);
    }

    const LIST: &str = "# why\n\nKERNEL32.dll!Sleep\nws2_32.dll!#115\n";

    #[test]
    fn dll_names_have_no_case_and_functions_do() {
        let allowed = Allowed::parse(LIST).unwrap();
        let asked = [
            Import::new("kernel32.DLL", "Sleep"),
            Import::new("KERNEL32.dll", "sleep"),
            Import::new("WS2_32.dll", "#115"),
            Import::new("bcryptprimitives.dll", "ProcessPrng"),
        ];
        assert_eq!(
            allowed.refusals(&asked.into()),
            [
                "bcryptprimitives.dll!ProcessPrng: no function of this DLL is on the list",
                "kernel32.dll!sleep is not on the list"
            ]
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = Allowed::parse("# fine\nkernel32.dll Sleep\n").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("line 2 is not dll!function: kernel32.dll Sleep"));
    }

    #[test]
    fn the_numbers_of_a_message_table_are_those_of_its_blocks() {
        let words = [2, 0x4000_0001, 0x4000_0002, 28, 0xC000_0004, 0xC000_0004, 40];
        let table: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(message_numbers(&table), Some(vec![1, 2, 4]));
        assert_eq!(message_numbers(&table[..20]), None);
    }

    #[test]
    fn what_is_no_executable_is_refused() {
        assert!(messages(b"MZ").is_err());
        assert!(imports(b"").is_err());
        assert!(imports(b"MZ and then nothing of the kind").is_err());
    }

    /// The committed list is sorted, so that a change to it shows as what it is.
    #[test]
    fn the_committed_list_is_sorted_and_free_of_repetition() {
        let text = include_str!("../pe-imports.txt");
        let lines: Vec<String> =
            text.lines().filter(|line| line.contains('!') && !line.starts_with('#')).map(str::to_owned).collect();
        let sorted: Vec<String> = Allowed::parse(text).unwrap().0.iter().map(Import::to_string).collect();
        assert_eq!(lines, sorted);
    }
}
