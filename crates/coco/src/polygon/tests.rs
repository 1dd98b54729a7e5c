use super::*;

const TILE: [f64; 4] = [100.0, 100.0, 200.0, 200.0];

/// As `shapely.box` orders it.
fn rect(x0: f64, y0: f64, x1: f64, y1: f64) -> Vec<Point> {
    vec![[x1, y0], [x1, y1], [x0, y1], [x0, y0]]
}

/// Each line is what shapely 2.2 (GEOS 3.14) makes of a box and the tile.
#[test]
fn boxes_start_where_shapely_starts_them() {
    let cases = [
        (rect(120., 120., 150., 160.), [[120., 120.], [120., 160.], [150., 160.], [150., 120.]]),
        (rect(80., 120., 150., 160.), [[150., 160.], [150., 120.], [100., 120.], [100., 160.]]),
        (rect(180., 120., 250., 160.), [[180., 120.], [180., 160.], [200., 160.], [200., 120.]]),
        (rect(120., 80., 150., 160.), [[120., 160.], [150., 160.], [150., 100.], [120., 100.]]),
        (rect(120., 180., 150., 260.), [[150., 180.], [120., 180.], [120., 200.], [150., 200.]]),
        (rect(80., 80., 150., 160.), [[150., 160.], [150., 100.], [100., 100.], [100., 160.]]),
        (rect(180., 80., 250., 160.), [[180., 160.], [200., 160.], [200., 100.], [180., 100.]]),
        (rect(80., 120., 250., 160.), [[200., 160.], [200., 120.], [100., 120.], [100., 160.]]),
        (rect(120., 80., 150., 260.), [[150., 100.], [120., 100.], [120., 200.], [150., 200.]]),
        (rect(80., 150., 250., 260.), [[100., 150.], [100., 200.], [200., 200.], [200., 150.]]),
        (rect(50., 50., 300., 300.), [[100., 100.], [100., 200.], [200., 200.], [200., 100.]]),
        (rect(100., 100., 150., 160.), [[150., 160.], [150., 100.], [100., 100.], [100., 160.]]),
        (rect(150., 150., 200., 200.), [[200., 150.], [150., 150.], [150., 200.], [200., 200.]]),
        (rect(100., 100., 200., 200.), [[200., 100.], [100., 100.], [100., 200.], [200., 200.]]),
        (rect(150., 120., 200., 160.), [[200., 120.], [150., 120.], [150., 160.], [200., 160.]]),
        (rect(80., 100., 150., 150.), [[150., 150.], [150., 100.], [100., 100.], [100., 150.]]),
    ];
    for (polygon, expected) in cases {
        assert_eq!(clip(&polygon, TILE), [expected.to_vec()], "{polygon:?}");
    }
}

#[test]
fn a_polygon_with_arms_falls_into_parts() {
    let comb = [
        [90., 90.],
        [150., 110.],
        [210., 90.],
        [210., 150.],
        [190., 150.],
        [190., 110.],
        [150., 140.],
        [110., 110.],
        [110., 150.],
        [90., 150.],
    ];
    let whole = [
        [150., 110.],
        [120., 100.],
        [100., 100.],
        [100., 150.],
        [110., 150.],
        [110., 110.],
        [150., 140.],
        [190., 110.],
        [190., 150.],
        [200., 150.],
        [200., 100.],
        [180., 100.],
    ];
    assert_eq!(clip(&comb, TILE), [whole.to_vec()]);
    // Two teeth reach down into the tile from above it.
    let teeth = [
        [110., 90.],
        [190., 90.],
        [190., 120.],
        [170., 120.],
        [170., 95.],
        [130., 95.],
        [130., 120.],
        [110., 120.],
    ];
    let parts = clip(&teeth, TILE);
    assert_eq!(parts.len(), 2);
    assert_eq!(parts.iter().map(|part| area(part)).sum::<f64>(), 800.0);
}

/// What shapely makes of corners and edges on the side of the tile.
#[test]
fn corners_on_the_side_of_the_tile() {
    // A notch from outside reaches the side in a corner: two parts.
    let notch = [[120., 150.], [180., 150.], [180., 210.], [150., 200.], [120., 210.]];
    assert_eq!(clip(&notch, TILE).len(), 1);
    let wedge = [[120., 210.], [120., 190.], [150., 200.], [180., 190.], [180., 210.]];
    assert_eq!(clip(&wedge, TILE).iter().map(|part| area(part)).collect::<Vec<_>>(), [150., 150.]);
    // The same with a flat end.
    let flat = [[120., 210.], [120., 190.], [140., 200.], [160., 200.], [180., 190.], [180., 210.]];
    assert_eq!(clip(&flat, TILE).iter().map(|part| area(part)).collect::<Vec<_>>(), [100., 100.]);
    // An edge that runs along the side, with the polygon outside, belongs to no part.
    let along = [[80., 130.], [100., 130.], [100., 140.], [120., 150.], [80., 160.]];
    let parts = clip(&along, TILE);
    assert_eq!(parts, [vec![[120., 150.], [100., 140.], [100., 155.]]]);
}

#[test]
fn what_only_touches_is_nothing() {
    for polygon in [
        rect(50., 120., 100., 160.),
        rect(200., 100., 300., 200.),
        rect(0., 0., 100., 100.),
        rect(120., 120., 120., 160.),
        vec![[100., 150.], [50., 100.], [50., 200.]],
        vec![[150., 150.]; 5],
        vec![],
    ] {
        assert!(clip(&polygon, TILE).is_empty(), "{polygon:?}");
    }
}

/// Whatever is cut, the parts of a picture's tiles make up the polygon.
#[test]
fn tiles_share_out_the_area() {
    let mut state = 7u64;
    let mut random = |range: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from((state >> 33) % range).unwrap())
    };
    for _ in 0..500 {
        // A star round a centre does not cross itself.
        let count = 3 + random(9) as usize;
        let star: Vec<Point> = (0..count)
            .map(|index| {
                let (sine, cosine) = (std::f64::consts::TAU * index as f64 / count as f64).sin_cos();
                let reach = 5.0 + random(60);
                [(50.0 + cosine * reach).round(), (50.0 + sine * reach).round()]
            })
            .collect();
        let tiles = [-50., 0., 50., 100.]
            .into_iter()
            .flat_map(|x| [-50., 0., 50., 100.].map(|y| [x, y, x + 50., y + 50.]));
        let sum: f64 = tiles.flat_map(|tile| clip(&star, tile)).map(|part| area(&part)).sum();
        assert!((sum - area(&star)).abs() < 1e-6, "{sum} of {star:?}");
    }
}
