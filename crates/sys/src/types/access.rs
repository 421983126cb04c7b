//! Who owns a file or directory, and who may do what with it.

/// The owner of a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `S-1-5-...`.
    pub sid: String,
    /// The system, its administrators, its installer, or the user of this process.
    pub trusted: bool,
}

/// What an account may do beside the system and the administrators, who may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// A SID (`S-1-5-...`) or a name (`NT SERVICE\name`, `DOMAIN\user`).
    pub account: &'a str,
    pub rights: Rights,
    /// Also with all that is in the directory, now and later.
    pub inherit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read and execute.
    Read,
    /// Read, execute, write, delete; not change who may.
    Modify,
}

/// The rights of a file or directory on Linux (inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeBits {
    /// User id.
    pub owner: u32,
    /// Group id.
    pub group: u32,
    /// With the kind of the file.
    pub mode: u32,
    /// It has an access list beside these (acl(5)), and the group's bits are what that allows at most.
    pub has_list: bool,
    /// Its owner is this process's user.
    pub is_own: bool,
}
