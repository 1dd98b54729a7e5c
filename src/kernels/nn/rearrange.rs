//! Elements in another order.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::Digit;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "rearrange",
    source: include_str!("../../../shaders/nn/rearrange.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("digits"), Binding::read("src"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// Records the rearrangement of `src`; `digits` come outermost first.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    digits: &[Digit],
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16))?;
    let table = table(digits);
    let mut params = MapsParams::new(launch, [src, src, dst]);
    params.x = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let params = recorder.uniform(&params)?;
    let usage = wgpu::BufferUsages::STORAGE;
    // A map of one element has no digit, and a binding is not empty.
    let contents = if table.is_empty() { &[[0; 4]] } else { &table[..] };
    let table = recorder.context.buffer_with("digits", bytemuck::cast_slice(contents), usage)?;
    let binds = [&params, &table, src.buffer, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, super::groups_of_map(launch, dst, &KERNEL))
}

/// The digits as the shader reads them, innermost first, neighbours that count on as one joined.
fn table(digits: &[Digit]) -> Vec<[u32; 4]> {
    let mut joined: Vec<Digit> = Vec::new();
    for &digit in digits.iter().rev().filter(|digit| digit.size != 1) {
        match joined.last_mut() {
            Some(inner)
                if inner.axis == digit.axis && inner.size.checked_mul(inner.stride) == Some(digit.stride) =>
            {
                inner.size *= digit.size;
            }
            _ => joined.push(digit),
        }
    }
    let axis = |digit: &Digit| u32::try_from(digit.axis.index()).unwrap_or(0);
    joined.iter().map(|digit| [axis(digit), digit.size, digit.stride, 0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Axis;

    #[test]
    fn digits_that_count_on_are_joined() {
        let digit = |axis, size, stride| Digit { axis, size, stride };
        let (row, column) = (Axis::Row, Axis::Column);
        let digits =
            [digit(row, 2, 12), digit(row, 4, 3), digit(column, 1, 9), digit(row, 3, 1), digit(column, 5, 0)];
        assert_eq!(table(&digits), [[2, 5, 0, 0], [1, 24, 1, 0]]);
        assert_eq!(table(&[digit(row, 2, 1), digit(row, 3, 1)]), [[1, 3, 1, 0], [1, 2, 1, 0]]);
        // Repetitions of one axis count as one.
        assert_eq!(table(&[digit(row, 2, 0), digit(row, 3, 0)]), [[1, 6, 0, 0]]);
        assert!(table(&[digit(row, 1, 0)]).is_empty());
    }
}
