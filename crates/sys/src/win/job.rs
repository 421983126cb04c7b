//! A job object: a set of processes that ends when the last handle to it is closed, however this process ends.
//!
//! Source: Microsoft's reference of CreateJobObject, SetInformationJobObject, AssignProcessToJobObject and TerminateJobObject.

use super::ffi::{check, last_error, size_u32};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::{io, ptr};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
    JOB_OBJECT_LIMIT_JOB_MEMORY, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};

/// Nobody inherits the handle: it is the last one.
#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

impl Job {
    /// Without a process, and with no dialog where one of its processes falls. `memory_bytes`: what all of them together may
    /// commit.
    pub(super) fn new(memory_bytes: Option<u64>) -> io::Result<Job> {
        // SAFETY: null means that nobody inherits the handle, and no name.
        let handle = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if handle.is_null() {
            return Err(last_error());
        }
        // SAFETY: the call succeeded, and the handle is ours alone.
        let job = Job(unsafe { OwnedHandle::from_raw_handle(handle) });
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags =
            JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        if let Some(bytes) = memory_bytes {
            limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            limits.JobMemoryLimit = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        let (class, size) = (JobObjectExtendedLimitInformation, size_u32::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>());
        // SAFETY: the job is open; a live structure of the class and size that are told.
        check(unsafe { SetInformationJobObject(job.0.as_raw_handle(), class, (&raw const limits).cast(), size) })?;
        Ok(job)
    }

    /// Takes in a process, and with it whatever it starts from now on. Windows 7 refuses one that is in a job already, as
    /// what a job's process starts is from its beginning.
    pub(super) fn take(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both are open.
        check(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process.as_raw_handle()) })
    }

    /// Ends all its processes.
    pub(super) fn end(&self) -> io::Result<()> {
        // SAFETY: the job is open.
        check(unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) })
    }
}
