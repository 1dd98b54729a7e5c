//! The dense head on the device against its CPU oracle, and the oracle against other heads and worked examples.

use super::decode_tests::{
    Found, assert_edges_vary, check_decode, check_stored, five_tiles, random, random_maps, strided_head_model,
};
use crate::geom::{IRectPx, ResizeMode, TileTransform};
use crate::heads::{BoxForm, DenseHead, DenseLevel, Head, ScoreForm, YoloxHead, YoloxLevel};
use crate::model::Model;
use crate::reference::decode as oracle;

const FORMS: [BoxForm; 5] =
    [BoxForm::Centre, BoxForm::CentreExp, BoxForm::CentreSquare, BoxForm::Corners, BoxForm::Distances];

fn dense_level(n: &str, objectness: bool) -> DenseLevel {
    DenseLevel {
        boxes: format!("box{n}"),
        classes: format!("cls{n}"),
        objectness: objectness.then(|| format!("obj{n}")),
        stride: [8.0; 2],
        offset: [0.5; 2],
        gain: [9.0, 11.0],
        size: [14.0, 10.0],
    }
}

fn dense_head(boxes: BoxForm) -> DenseHead {
    DenseHead {
        boxes,
        box_sigmoid: false,
        size_factor: 1.0,
        score: ScoreForm::default(),
        levels: vec![dense_level("0", true)],
    }
}

/// A model for that head: maps of 8x8 for level 0, of 1x32 for level 1, of 10x13 for level 2 and 1x1 for level 3.
fn dense_model(head: DenseHead, classes: u32, resize: ResizeMode) -> Model {
    let maps = [
        ("box0", 4, [8, 8]),
        ("cls0", classes, [8, 8]),
        ("obj0", 1, [8, 8]),
        ("box1", 4, [64, 2]),
        ("cls1", classes, [64, 2]),
        ("box2", 4, [7, 5]),
        ("cls2", classes, [7, 5]),
        ("obj2", 1, [7, 5]),
        ("box3", 4, [64, 64]),
        ("cls3", classes, [64, 64]),
    ];
    strided_head_model(Head::Dense(head), &maps, (classes as usize, resize))
}

/// Four levels: with and without objectness, of other sizes, strides that differ by x and y, and one of a single row
/// whose place says nothing about y.
fn mixed_levels() -> Vec<DenseLevel> {
    let row = DenseLevel {
        stride: [2.0, 0.0],
        offset: [-0.5, 7.0],
        gain: [5.0, 60.0],
        size: [20.0, 30.0],
        ..dense_level("1", false)
    };
    let odd = DenseLevel { stride: [5.0, 7.0], offset: [0.25, -0.5], ..dense_level("2", true) };
    let single = DenseLevel { stride: [0.0; 2], gain: [40.0; 2], ..dense_level("3", false) };
    vec![dense_level("0", true), row, odd, single]
}

/// Random maps, some values not finite, most scores in 0 to 1, by the head's sigmoids.
fn maps_for(head: &DenseHead) -> impl Fn(&str, u64, usize) -> Vec<f32> + use<> {
    let (score, boxes) = (head.score, if head.box_sigmoid { (-3.0, 3.0) } else { (-0.6, 1.4) });
    move |name, seed, count| {
        let of = |sigmoid: bool| if sigmoid { (-4.0, 5.0) } else { (-0.1, 1.1) };
        let (low, high) = match &name[..3] {
            "box" => boxes,
            "obj" => of(score.objectness_sigmoid),
            _ => of(score.class_sigmoid),
        };
        let mut values = random(seed, count, low, high);
        if count > 16 {
            values[5] = f32::NAN;
            values[count / 2] = f32::INFINITY;
            values[count - 2] = f32::NEG_INFINITY;
        }
        values
    }
}

fn score_forms() -> Vec<ScoreForm> {
    let mut forms = Vec::new();
    for (class_power, objectness_power) in [(1.0, 1.0), (0.5, 0.5), (0.4, 0.6), (1.0, 2.0), (0.5, 1.0)] {
        for (class_sigmoid, objectness_sigmoid) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            forms.push(ScoreForm { class_sigmoid, objectness_sigmoid, class_power, objectness_power });
        }
    }
    forms
}

#[test]
fn every_box_form_equals_the_oracle() {
    let grid = five_tiles([50, 50]);
    for boxes in FORMS {
        for box_sigmoid in [false, true] {
            for (half, size_factor) in [(false, 0.2), (true, 1.0)] {
                let head =
                    DenseHead { box_sigmoid, size_factor, levels: mixed_levels(), ..dense_head(boxes) };
                let make = maps_for(&head);
                let model = dense_model(head, 3, ResizeMode::LetterboxTopLeft);
                let Some(found) = check_stored(&model, make, (&grid, &[Some(0.3); 3]), (1 << 12, half))
                else {
                    continue;
                };
                assert!(found.not_finite > 10, "{} dropped", found.not_finite);
                let anchors = 64 + 32 + 10 * 13 + 1;
                assert!(found.candidates.iter().all(|c| c.anchor < anchors));
                assert!(found.candidates.iter().any(|c| c.anchor >= 64 + 32));
            }
        }
    }
}

#[test]
fn every_score_form_equals_the_oracle() {
    let grid = five_tiles([50, 50]);
    for score in score_forms() {
        for (classes, half) in [(1, false), (3, true), (80, false), (80, true)] {
            let head = DenseHead { score, levels: mixed_levels(), ..dense_head(BoxForm::Centre) };
            let make = maps_for(&head);
            let model = dense_model(head, classes, ResizeMode::Stretch);
            for least in [0.0, 0.55] {
                let least = vec![Some(least); classes as usize];
                let found = check_stored(&model, &make, (&grid, &least), (1 << 12, half));
                assert!(found.is_none_or(|found| found.not_finite > 4));
            }
        }
    }
}

#[test]
fn edges_of_padded_tiles_equal_the_oracle() {
    for resize in [ResizeMode::LetterboxTopLeft, ResizeMode::LetterboxCentre, ResizeMode::Stretch] {
        for tile in [[50, 44], [48, 50]] {
            let head = DenseHead { levels: mixed_levels(), ..dense_head(BoxForm::Distances) };
            let make = maps_for(&head);
            let model = dense_model(head, 3, resize);
            let grid = five_tiles(tile);
            let Some(found) = check_decode(&model, make, (&grid, &[Some(0.2); 3]), 1 << 12) else { return };
            assert_edges_vary(&found);
        }
    }
}

#[test]
fn levels_may_share_maps_and_keep_their_order() {
    // Three sizes of anchors on the same maps, and a capacity that cuts the list.
    let sized = |size: f32| DenseLevel { size: [size; 2], ..dense_level("0", true) };
    let head = DenseHead { levels: [6.0, 12.0, 24.0].map(sized).to_vec(), ..dense_head(BoxForm::CentreExp) };
    let make = maps_for(&head);
    let model = dense_model(head, 3, ResizeMode::Stretch);
    let grid = five_tiles([50, 50]);
    let Some(found) = check_decode(&model, &make, (&grid, &[Some(0.3); 3]), 1 << 12) else { return };
    let keys: Vec<_> = found.candidates.iter().map(|c| (c.tile_index(), c.anchor)).collect();
    assert!(keys.is_sorted() && found.candidates.len() > 100);
    check_decode(&model, &make, (&grid, &[Some(0.3); 3]), 9);
}

#[test]
fn classes_have_their_own_thresholds() {
    let score = ScoreForm { class_sigmoid: true, ..ScoreForm::default() };
    let head = DenseHead { score, levels: mixed_levels(), ..dense_head(BoxForm::Centre) };
    let make = maps_for(&head);
    let model = dense_model(head, 5, ResizeMode::Stretch);
    let grid = five_tiles([50, 50]);
    let least = [Some(0.3), Some(0.1), Some(0.9), None, Some(0.0)];
    let Some(found) = check_decode(&model, &make, (&grid, &least), 1 << 12) else { return };
    let Some(all) = check_decode(&model, &make, (&grid, &[Some(0.0); 5]), 1 << 12) else { return };
    let mut wanted = all.candidates.clone();
    wanted.retain(|c| least[c.class_id as usize].is_some_and(|least| c.score >= least));
    assert_eq!(found.candidates, wanted);
    assert!(wanted.len() > 20 && wanted.len() + 20 < all.candidates.len());
}

/// One score per class in every cell, boxes that all have an area.
fn uniform(scores: &[f32]) -> impl Fn(&str, u64, usize) -> Vec<f32> {
    move |name, seed, count| match &name[..3] {
        "box" => random(seed, count, 0.2, 0.8),
        "obj" => vec![1.0; count],
        _ => (0..count).map(|at| scores[at / (count / scores.len())]).collect(),
    }
}

#[test]
fn a_score_equal_to_the_threshold_of_its_class_passes() {
    let head = DenseHead { levels: mixed_levels(), ..dense_head(BoxForm::Distances) };
    let model = dense_model(head, 3, ResizeMode::Stretch);
    let grid = five_tiles([50, 50]);
    let above = f32::from_bits(0.25f32.to_bits() + 1);
    // Classes 1 and 2 tie: the first wins, and the other's threshold lets nothing pass.
    let scores = [0.125, 0.25, 0.25];
    for (least, passes) in [(Some(0.25), true), (Some(above), false), (None, false)] {
        let cells = |found: &Found| found.candidates.iter().filter(|c| c.class_id == 1).count();
        let make = |name: &str, seed: u64, count: usize| {
            let mut values = uniform(&scores)(name, seed, count);
            // A few cells of class 0 pass in any case.
            if name == "cls0" {
                values[..8].fill(0.5);
            }
            values
        };
        let table = [Some(0.25), least, Some(0.0)];
        let Some(found) = check_decode(&model, make, (&grid, &table), 1 << 12) else { return };
        assert_eq!(cells(&found) > 500, passes, "{least:?}");
        assert_eq!(found.candidates.len() - cells(&found), 5 * 8);
    }
}

#[test]
fn the_largest_logit_decides_where_the_sigmoid_saturates() {
    let grid = five_tiles([50, 50]);
    let score = ScoreForm { class_sigmoid: true, ..ScoreForm::default() };
    let head = DenseHead { score, levels: mixed_levels(), ..dense_head(BoxForm::Distances) };
    let model = dense_model(head, 5, ResizeMode::Stretch);
    for (logits, least) in [
        ([40.0, -3.0, 50.0, 50.0, 20.0], 0.999),
        ([-150.0, -200.0, -120.0, -120.0, -121.0], 0.0),
        ([-3e38, f32::MIN, 3e38, 3e38, 0.0], 0.999),
        ([-3e38, f32::MIN, -2e38, -2e38, -3e38], 0.0),
    ] {
        let Some(found) = check_decode(&model, uniform(&logits), (&grid, &[Some(least); 5]), 1 << 12) else {
            return;
        };
        assert!(found.candidates.iter().all(|c| c.class_id == 2), "{logits:?}");
        assert!(found.candidates.len() > 500);
    }
}

#[test]
fn a_yolox_head_said_as_a_dense_one_finds_the_same() {
    let grid = five_tiles([50, 50]);
    let yolox = |stride: u32, n: &str| YoloxLevel {
        stride,
        boxes: format!("box{n}"),
        objectness: format!("obj{n}"),
        classes: format!("cls{n}"),
    };
    let dense = |stride: f32, n: &str| DenseLevel {
        stride: [stride; 2],
        offset: [0.0; 2],
        gain: [stride; 2],
        size: [stride; 2],
        ..dense_level(n, true)
    };
    let heads = [
        Head::Yolox(YoloxHead { levels: vec![yolox(8, "0"), yolox(16, "1")] }),
        Head::Dense(DenseHead {
            levels: vec![dense(8.0, "0"), dense(16.0, "1")],
            ..dense_head(BoxForm::CentreExp)
        }),
    ];
    let (fine, coarse) = ([8; 2], [16; 2]);
    let maps = [
        ("box0", 4, fine),
        ("obj0", 1, fine),
        ("cls0", 7, fine),
        ("box1", 4, coarse),
        ("obj1", 1, coarse),
        ("cls1", 7, coarse),
    ];
    let found = heads.map(|head| {
        let model = strided_head_model(head, &maps, (7, ResizeMode::LetterboxTopLeft));
        check_decode(&model, random_maps, (&grid, &[Some(0.4); 7]), 1 << 10)
    });
    let [Some(yolox), Some(dense)] = found else { return };
    assert_eq!(yolox.total, dense.total);
    for (a, b) in yolox.candidates.iter().zip(&dense.candidates) {
        assert_eq!((a.class_id, a.tile, a.anchor), (b.class_id, b.tile, b.anchor));
        let near = |a: f32, b: f32| (a - b).abs() < 1e-3;
        assert!(a.rect.to_array().into_iter().zip(b.rect.to_array()).all(|(a, b)| near(a, b)));
        assert!(near(a.score, b.score));
    }
}

/// What the oracle makes of one cell, column 3 and row 2 of 8x8, in an input that is the tile.
fn cell(head: DenseHead, values: [f32; 4], (class, object): (f32, f32)) -> ([f32; 4], f32) {
    let model = dense_model(head, 1, ResizeMode::Stretch);
    let at = 2 * 8 + 3;
    let mut maps = oracle::Maps::new();
    maps.insert(
        "box0".into(),
        (0..4 * 64).map(|i| if i % 64 == at { values[i / 64] } else { 0.0 }).collect(),
    );
    for (name, value) in [("cls0", class), ("obj0", object)] {
        maps.insert(name.into(), (0..64).map(|i| if i == at { value } else { f32::NAN }).collect());
    }
    let rect = IRectPx { x0: 0, y0: 0, x1: 64, y1: 64 };
    let transform = TileTransform::new(rect, [64, 64], ResizeMode::Stretch);
    let tile = oracle::PlacedTile { transform, index: 0, picture: [64, 64] };
    let found = oracle::decode(&model, &maps, &tile, &[Some(0.0)]);
    assert_eq!((found.candidates.len(), found.not_finite, found.empty), (1, 63, 0));
    assert_eq!(found.candidates[0].anchor, at as u32);
    (found.candidates[0].rect.to_array(), found.candidates[0].score)
}

#[test]
fn worked_examples_of_known_detectors() {
    let near = |(rect, score): ([f32; 4], f32), (wanted, wanted_score): ([f32; 4], f32)| {
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4;
        assert!(rect.into_iter().zip(wanted).all(|(a, b)| close(a, b)), "{rect:?}, expected {wanted:?}");
        assert!(close(score, wanted_score), "{score}, expected {wanted_score}");
    };
    let level = dense_level("0", true);
    // YOLOv5: sigmoid(ln 3) = 0.75, sigmoid(-ln 3) = 0.25; xy = (0.75 * 2 - 0.5 + cell) * 8, wh = (2 * 0.25)^2 * anchor.
    let ln3 = 3f32.ln();
    let logits = ScoreForm { class_sigmoid: true, objectness_sigmoid: true, ..ScoreForm::default() };
    let head = DenseHead {
        box_sigmoid: true,
        score: logits,
        levels: vec![DenseLevel { offset: [-0.5; 2], gain: [16.0; 2], size: [40.0, 32.0], ..level.clone() }],
        ..dense_head(BoxForm::CentreSquare)
    };
    near(cell(head, [ln3, ln3, -ln3, -ln3], (ln3, ln3)), ([27.0, 20.0, 37.0, 28.0], 0.5625));
    // FCOS with centerness: point (3.5, 2.5) * 8, distances of 0.5, 1, 1.5 and 2 cells, score sqrt(class * centerness).
    let roots = ScoreForm { class_power: 0.5, objectness_power: 0.5, ..ScoreForm::default() };
    let fcos = DenseHead {
        score: roots,
        levels: vec![DenseLevel { gain: [8.0; 2], ..level.clone() }],
        ..dense_head(BoxForm::Distances)
    };
    near(cell(fcos, [0.5, 1.0, 1.5, 2.0], (0.9, 0.4)), ([24.0, 12.0, 40.0, 36.0], 0.6));
    // SSD: an anchor of 20 x 10 with variances 0.1 and 0.2; a shift of a tenth, ln 2 in width, nothing in height.
    let ssd = DenseHead {
        size_factor: 0.2,
        levels: vec![DenseLevel { gain: [2.0, 1.0], size: [20.0, 10.0], objectness: None, ..level.clone() }],
        ..dense_head(BoxForm::CentreExp)
    };
    near(cell(ssd, [1.0, -1.0, 5.0 * 2f32.ln(), 0.0], (0.7, f32::NAN)), ([10.0, 14.0, 50.0, 24.0], 0.7));
    // FastestDet: objectness^0.6 * class^0.4, size of the whole input.
    let fastest = DenseHead {
        score: ScoreForm { class_power: 0.4, objectness_power: 0.6, ..ScoreForm::default() },
        levels: vec![DenseLevel { offset: [0.0; 2], gain: [8.0; 2], size: [64.0; 2], ..level.clone() }],
        ..dense_head(BoxForm::Centre)
    };
    let wanted = 0.5f32.powf(0.4) * 0.8f32.powf(0.6);
    near(cell(fastest, [0.5, -0.5, 0.25, 0.125], (0.5, 0.8)), ([20.0, 8.0, 36.0, 16.0], wanted));
    // Corners of the unit square that are decoded already.
    let corners = DenseHead {
        levels: vec![DenseLevel { stride: [0.0; 2], gain: [64.0; 2], ..level }],
        ..dense_head(BoxForm::Corners)
    };
    near(cell(corners, [0.25, 0.5, 0.5, 0.75], (0.5, 0.5)), ([16.0, 32.0, 32.0, 48.0], 0.25));
}
