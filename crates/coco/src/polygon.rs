//! Polygons cut at the sides of a tile, with their vertices in the order in which SAHI writes them.

use std::cmp::Ordering::{Equal, Greater, Less};

/// A point in pixels, x and y.
pub(crate) type Point = [f64; 2];

/// A corner of a polygon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Vertex {
    at: Point,
    /// Place of the polygon's edge that goes on from here; none where it runs along the tile.
    edge: Option<usize>,
}

/// A line that cuts a polygon: what has `sign * (coordinate - limit) >= 0` stays.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    /// Axis of the coordinate.
    axis: usize,
    limit: f64,
    sign: f64,
    /// The corners of the whole polygon.
    corners: &'a [Point],
}

impl Line<'_> {
    fn depth(&self, vertex: Vertex) -> f64 {
        self.sign * (vertex.at[self.axis] - self.limit)
    }

    /// Where the edge from `a` to `b` meets the line, to the nearest float where corners are whole numbers: computed from
    /// the corners of the polygon, not from points that were computed before.
    fn crossing(&self, a: Vertex, b: Vertex) -> Point {
        let ends = a.edge.and_then(|edge| {
            Some([*self.corners.get(edge)?, *self.corners.get((edge + 1) % self.corners.len())?])
        });
        let [from, to] = ends.unwrap_or([a.at, b.at]);
        let (axis, along) = (self.axis, 1 - self.axis);
        let (before, after) = (self.limit - from[axis], to[axis] - self.limit);
        let mut at = [self.limit; 2];
        at[along] = if from[along] == to[along] {
            from[along]
        } else {
            (from[along] * after + to[along] * before) / (before + after)
        };
        at
    }
}

/// The part of a simple polygon that lies in `tile` (x0, y0, x1, y1): one ring or several, in order of the polygon's edges,
/// each with area.
///
/// Each ring has positive x, then y to the right of its way (GEOS' way round) and starts where GEOS 3.14, and with it
/// shapely and SAHI, starts it. A polygon that crosses itself is cut as drawn, edge by edge.
pub(crate) fn clip(polygon: &[Point], tile: [f64; 4]) -> Vec<Vec<Point>> {
    let [x0, y0, x1, y1] = tile;
    let whole = tidy(polygon.iter().map(|&at| Vertex { at, edge: None }).collect());
    let numbered = |(edge, vertex): (usize, Vertex)| Vertex { edge: Some(edge), ..vertex };
    let mut rings: Vec<Vec<Vertex>> =
        whole.into_iter().map(|ring| ring.into_iter().enumerate().map(numbered).collect()).collect();
    let corners: Vec<Point> = rings.iter().flatten().map(|vertex| vertex.at).collect();
    for (axis, limit, sign) in [(0, x0, 1.0), (1, y0, 1.0), (0, x1, -1.0), (1, y1, -1.0)] {
        let line = Line { axis, limit, sign, corners: &corners };
        rings = rings.iter().flat_map(|ring| cut(ring, &line)).collect();
    }
    rings.sort_by_key(|ring| ring.iter().filter_map(|vertex| vertex.edge).min());
    let ordered = rings.iter().map(|ring| in_order(ring, tile));
    ordered.filter(|ring| area(ring) > 0.0).collect()
}

/// Area in square pixels; the sum that GEOS takes, in its order.
pub(crate) fn area(ring: &[Point]) -> f64 {
    (signed_area(ring)).abs()
}

fn signed_area(ring: &[Point]) -> f64 {
    let Some(first) = ring.first() else { return 0.0 };
    let next = |index: usize| ring[(index + 1) % ring.len()][1];
    let twice: f64 =
        (1..ring.len()).map(|index| (ring[index][0] - first[0]) * (next(index) - ring[index - 1][1])).sum();
    twice / 2.0
}

/// The part of a ring on one side of a line.
fn cut(ring: &[Vertex], line: &Line) -> Vec<Vec<Vertex>> {
    let Some(start) = ring.iter().position(|vertex| line.depth(*vertex) < 0.0) else {
        return vec![ring.to_vec()];
    };
    let mut chains: Vec<Vec<Vertex>> = Vec::new();
    let mut before = ring[start];
    for &here in ring[start + 1..].iter().chain(&ring[..=start]) {
        step(&mut chains, before, here, line);
        before = here;
    }
    joined(chains, 1 - line.axis).into_iter().filter_map(tidy).collect()
}

/// Goes on from a corner to the next one. A chain begins and ends on the line and lies inside otherwise; corners on the line
/// that have others on the line beside them are chains of one.
fn step(chains: &mut Vec<Vec<Vertex>>, before: Vertex, here: Vertex, line: &Line) {
    let Some(side) = line.depth(here).partial_cmp(&0.0) else { return };
    let Some(from) = line.depth(before).partial_cmp(&0.0) else { return };
    match (from, side, chains.last_mut()) {
        (Less, Greater, _) => {
            chains.push(vec![Vertex { at: line.crossing(before, here), edge: before.edge }, here]);
        }
        (Less | Equal, Equal, _) | (Greater, Equal, None) => chains.push(vec![here]),
        // The corner before touches the line from inside.
        (Equal, Greater, Some(chain)) if chain.len() > 1 => {
            end(chain);
            chains.push(vec![before, here]);
        }
        (_, Greater | Equal, Some(chain)) => chain.push(here),
        (Equal, Less, Some(chain)) => end(chain),
        (Greater, Less, Some(chain)) => {
            chain.push(Vertex { at: line.crossing(before, here), edge: None });
        }
        (Less, Less, _) | (_, _, None) => {}
    }
}

/// The edge of the polygon that goes on from here is none of the part's.
fn end(chain: &mut [Vertex]) {
    if let Some(last) = chain.last_mut() {
        last.edge = None;
    }
}

/// Chains that begin and end on the line, joined along it. `along` is the axis of the line.
///
/// The line lies inside the polygon between the first and second crossing, the third and fourth, and so on; each such
/// pair is an end and a beginning. So the k-th end along the line belongs to the k-th beginning.
fn joined(mut chains: Vec<Vec<Vertex>>, along: usize) -> Vec<Vec<Vertex>> {
    let place = |vertex: Option<&Vertex>| vertex.map_or(0.0, |vertex| vertex.at[along]);
    let mut begins: Vec<usize> = (0..chains.len()).collect();
    let mut ends = begins.clone();
    begins.sort_by(|&a, &b| place(chains[a].first()).total_cmp(&place(chains[b].first())));
    ends.sort_by(|&a, &b| place(chains[a].last()).total_cmp(&place(chains[b].last())));
    let mut next = vec![0; chains.len()];
    for (&last, &begin) in ends.iter().zip(&begins) {
        next[last] = begin;
        // Only on to the next chain an edge of the polygon may run along the line.
        if begin != (last + 1) % chains.len() {
            end(&mut chains[last]);
        }
    }
    let mut used = vec![false; chains.len()];
    let mut rings = Vec::new();
    for first in 0..chains.len() {
        let (mut ring, mut chain) = (Vec::new(), first);
        while !used[chain] {
            used[chain] = true;
            ring.extend_from_slice(&chains[chain]);
            chain = next[chain];
        }
        rings.push(ring);
    }
    rings
}

/// The ring without repeated points; none if fewer than three are left.
fn tidy(ring: Vec<Vertex>) -> Option<Vec<Vertex>> {
    let mut kept: Vec<Vertex> = Vec::with_capacity(ring.len());
    for vertex in ring {
        match kept.last_mut() {
            Some(last) if last.at == vertex.at => *last = vertex,
            _ => kept.push(vertex),
        }
    }
    while kept.len() > 1 && kept[0].at == kept[kept.len() - 1].at {
        kept.pop();
    }
    (kept.len() > 2).then_some(kept)
}

/// The points of a ring, turned and started as GEOS does.
///
/// GEOS splits the polygon at its first vertex and wherever it meets the tile. A ring starts with the first such part that
/// bounds it, but for the first point of that part.
fn in_order(ring: &[Vertex], tile: [f64; 4]) -> Vec<Point> {
    let points: Vec<Point> = ring.iter().map(|vertex| vertex.at).collect();
    let backwards = signed_area(&points) > 0.0;
    let count = ring.len();
    let first = (0..count).filter(|&i| ring[i].edge.is_some()).min_by_key(|&i| ring[i].edge);
    let Some(first) = first else {
        let [x0, y0, x1, y1] = tile;
        return vec![[x0, y0], [x0, y1], [x1, y1], [x1, y0]];
    };
    let on_tile = |[x, y]: Point| x == tile[0] || y == tile[1] || x == tile[2] || y == tile[3];
    if backwards {
        let mut last = first;
        while last + 1 < first + count {
            let next = ring[(last + 1) % count];
            if on_tile(next.at) || next.edge == Some(0) {
                break;
            }
            last += 1;
        }
        (0..count).map(|step| points[(last + count - step) % count]).collect()
    } else {
        (1..=count).map(|step| points[(first + step) % count]).collect()
    }
}

#[cfg(test)]
mod tests;
