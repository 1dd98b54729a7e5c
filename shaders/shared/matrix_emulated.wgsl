// The operations of cooperative matrices of conv_matrix by ordinary code, for tests on devices that have none: `lane` is
// the invocation's place in its subgroup, and element e of a matrix belongs to lane e % {{ subgroup }}. Factors are not loaded: their
// place in workgroup memory stands for them.
{%- set share = side * side // subgroup %}
alias MatrixC = array<f32, {{ share }}>;

fn load_c(at: u32, stride: u32, lane: u32) -> MatrixC {
    var c: MatrixC;
    for (var i = 0u; i < {{ share }}u; i++) {
        let e = i * {{ subgroup }}u + lane;
        c[i] = sums[at + e / {{ side }}u * stride + e % {{ side }}u];
    }
    return c;
}

fn multiply_add(a: u32, b: u32, sum: MatrixC, lane: u32) -> MatrixC {
    var c = sum;
    for (var i = 0u; i < {{ share }}u; i++) {
        let e = i * {{ subgroup }}u + lane;
        for (var k = 0u; k < {{ side }}u; k++) {
            let left = f32(inputs[a + e / {{ side }}u * {{ a_stride }}u + k]);
            c[i] += left * f32(factors[b + k * {{ b_stride }}u + e % {{ side }}u]);
        }
    }
    return c;
}

fn store_c(sum: MatrixC, at: u32, stride: u32, lane: u32) {
    var c = sum;
    for (var i = 0u; i < {{ share }}u; i++) {
        let e = i * {{ subgroup }}u + lane;
        sums[at + e / {{ side }}u * stride + e % {{ side }}u] = c[i];
    }
}
