//! Packages installed for real, into a copy of this machine's root that is thrown away: an overlay, and `chroot`.

mod booted;
mod deb;
mod root;
mod rpm;
mod unit;
