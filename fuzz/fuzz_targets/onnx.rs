//! Bytes as an ONNX file. The mutator keeps the protobuf whole, most of the time.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tilehawk_fuzz::{onnx, proto};

fuzz_target!(|bytes: &[u8]| onnx::check(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = proto::Random::new(seed);
    if random.below(20) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut change = |payload: &[u8]| {
        let mut room = payload.to_vec();
        room.resize(payload.len() + 32, 0);
        let most = room.len();
        let len = fuzzer_mutate(&mut room, payload.len(), most);
        room.truncate(len);
        room
    };
    let mut bytes = data[..size].to_vec();
    for _ in 0..1 + random.below(3) {
        match proto::mutate(&bytes, &mut random, 0, &mut change) {
            Some(changed) if changed.len() <= max_size => bytes = changed,
            _ => break,
        }
    }
    if bytes == data[..size] {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
});
