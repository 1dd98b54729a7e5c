// Which lanes of a group of channels are channels; the others are 0 in every map.
fn live_lanes(channels: u32, group: u32) -> vec4<bool> {
    return vec4<u32>(0u, 1u, 2u, 3u) + vec4<u32>(group * 4u) < vec4<u32>(channels);
}
