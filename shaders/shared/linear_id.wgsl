// The index of an invocation whose workgroups were folded into x and y.
fn linear_id(workgroup: vec3<u32>, groups: vec3<u32>, local: u32, size: u32) -> u32 {
    return (workgroup.y * groups.x + workgroup.x) * size + local;
}
