//! What is asked in every cycle costs no memory on Windows once it has been asked: the buffers live in the host.
//!
//! Alone in its program, for the allocator counts what every thread takes.
#![cfg(windows)]

use falcon_sys::{Host, commit_info, self_usage};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

static TAKEN: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes on to the system's allocator as it is, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of this trait.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of this trait.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the rules of this trait.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_steady_cycle_takes_no_memory() {
    let mut host = Host::new("");
    let (mut interfaces, mut cores, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    // Wine refuses without a reason, and to say so takes memory.
    let has_page_files = host.swap_info().is_ok();
    let mut cycle = || {
        host.cpu_stat().unwrap();
        host.cpu_cores(&mut cores).unwrap();
        host.cpu_mhz().unwrap();
        host.mem_info().unwrap();
        host.sys_info().unwrap();
        let _ = host.net_ifs(&mut interfaces).unwrap();
        host.tcp_stats().unwrap();
        host.udp_stats().unwrap();
        host.run_queue().unwrap();
        host.own_threads().unwrap();
        host.processes(&mut |name| name.ends_with(".exe"), &mut processes).unwrap();
        commit_info().unwrap();
        self_usage().unwrap();
        // Wine gives up where others open sockets faster than it lists them.
        host.tcp_states().ok();
        if has_page_files {
            host.swap_info().unwrap();
        }
        // Where these are not served (Wine), to be refused must be as cheap.
        host.paging().ok();
        host.exceptions().ok();
    };
    cycle();
    // The harness's own thread may take some meanwhile, and more processes make a buffer grow: not in every round.
    let mut taken = Vec::with_capacity(20);
    while taken.last() != Some(&0) && taken.len() < taken.capacity() {
        let before = TAKEN.load(Ordering::Relaxed);
        cycle();
        taken.push(TAKEN.load(Ordering::Relaxed) - before);
    }
    assert_eq!(taken.last(), Some(&0), "{taken:?}");
}
