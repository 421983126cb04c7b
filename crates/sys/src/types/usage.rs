//! What a file takes of a directory tree.

/// One entry of a directory, itself and not what it may lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileUsage {
    /// Length: of a link that of the link. Of a directory what the file system tells (Windows: 0).
    pub bytes: u64,
    /// A directory that is no link, junction or mount point: one that can be listed.
    pub is_dir: bool,
    /// Linux: of a file that has several names; `None` on Windows, which tells it only for a handle.
    pub links: Option<Links>,
}

/// A file that has several names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    pub device: u64,
    pub inode: u64,
    pub count: u64,
}
