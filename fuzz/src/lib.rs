//! What the fuzz targets share: the limit on memory, the harness of the ONNX reader, and protobuf in pieces.
//!
//! The limit: while an input of `n` bytes is read, at most `FACTOR * n + FIXED` bytes may be allocated at once.
//!
//! `FACTOR` is what the format itself allows. The worst a file can do per byte is an empty message of two bytes: an
//! attribute becomes 200 bytes in a vector, 100 per byte, and three times that while the vector grows (old and new
//! buffer). Packed integers of one byte become 8, likewise 24 with growth; a weight of one byte per element becomes 8
//! as an integer and 4 as a float, and a few copies of it live at once.
//!
//! `FIXED` is what the importer's own limits allow whatever the file's size. All views together list at most 2^22
//! taps: 24 bytes each there, as much again as the key of the node that gathers them, 16 in that node. Constants made
//! at import have at most 2^24 elements beside the file's own: 8 bytes each, 4 again as a weight. That is 448 MiB; a
//! single step adds up to 2^20 elements (8 bytes, and an index of 8 beside each of a few operands).

pub mod graph;
pub mod onnx;
pub mod proto;
pub mod seeds;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that may be live per byte of the input.
pub const FACTOR: usize = 512;
/// Bytes that may be live beside that.
pub const FIXED: usize = 512 << 20;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Counting;

fn grown(by: usize) {
    let live = LIVE.fetch_add(by, Relaxed).wrapping_add(by);
    let limit = LIMIT.load(Relaxed);
    if live > limit {
        LIMIT.store(usize::MAX, Relaxed);
        eprintln!("allocation limit: {live} bytes would be live, {by} of them new; {limit} may be");
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
        std::process::abort();
    }
}

// SAFETY: all memory comes from the system's allocator; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both buffers may be live for a moment.
        grown(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `read` on an input of `size` bytes under the limit.
pub fn limited<T>(size: usize, read: impl FnOnce() -> T) -> T {
    LIMIT.store(LIVE.load(Relaxed) + FACTOR * size + FIXED, Relaxed);
    let result = read();
    LIMIT.store(usize::MAX, Relaxed);
    result
}
