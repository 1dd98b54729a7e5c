// Whether no lane is NaN or infinite, from the bits: arithmetic tests may be optimised away.
fn all_finite(v: vec4<f32>) -> bool {
    return all((bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u));
}
