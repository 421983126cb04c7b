//! A provider of performance counters for tests: what it serves, and how it fails, stands in a script beside its DLL.
//!
//! * [`layout`] writes objects as winperf.h has them.
//! * [`script`] is what a provider does: objects, values over time, faults.
//! * [`product`] names what IIS, ASP.NET and SQL Server have, and hands out indexes.
//! * [`registration`] is what an installer writes to the registry.
//! * [`provider`] answers a query from the script; [`ffi`], on Windows, is the DLL's door.
//!
//! A copy of the DLL as `C:\x\iis.dll` reads `C:\x\iis.json` at each query and writes each query down in `C:\x\iis.log`: Wine
//! loads and unloads a provider for each query, so that it can remember nothing itself.

#[cfg(windows)]
pub mod ffi;
pub mod kind;
pub mod layout;
pub mod product;
pub mod provider;
pub mod registration;
pub mod script;
