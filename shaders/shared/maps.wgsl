// Two maps and what is made of them; the host's twin is kernels::nn::MapsParams.
// Maps are NC4HW4: [tiles, channels / 4, height, width] of vec4. Bases count vec4s.
struct MapPlace {
    base: u32,
    channels: u32,
    height: u32,
    width: u32,
}

// What x, y and z are, each kernel says.
struct MapsParams {
    a: MapPlace,
    b: MapPlace,
    dst: MapPlace,
    tiles: u32,
    x: u32,
    y: u32,
    z: u32,
}

// A vec4 of a map.
struct MapVec4 {
    tile: u32,
    group: u32,
    y: u32,
    x: u32,
}

fn map_len(map: MapPlace) -> u32 {
    return (map.channels + 3u) / 4u * map.height * map.width;
}

// The vec4 at `id`, counted over all tiles.
fn map_vec4(map: MapPlace, id: u32) -> MapVec4 {
    let groups = (map.channels + 3u) / 4u;
    let row = id / map.width;
    let plane = row / map.height;
    let tile = plane / groups;
    return MapVec4(tile, plane - tile * groups, row - plane * map.height, id - row * map.width);
}

fn map_index(map: MapPlace, tile: u32, group: u32, y: u32, x: u32) -> u32 {
    let groups = (map.channels + 3u) / 4u;
    return map.base + ((tile * groups + group) * map.height + y) * map.width + x;
}
