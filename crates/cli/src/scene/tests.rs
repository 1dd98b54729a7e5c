use super::canvas::Shape;
use super::*;

fn options(width: u32, height: u32, objects: u32) -> SceneOptions {
    SceneOptions { width, height, objects, seed: 3 }
}

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[test]
fn a_scene_is_the_same_everywhere() {
    let scene = draw(options(320, 240, 12));
    assert_eq!(scene.objects.len(), 11);
    assert_eq!(digest(&scene.canvas.pixels), 0xFB9B_1105_9B26_4C5C);
    let edges: Vec<u8> = scene.objects.iter().flat_map(|o| o.edges).flat_map(u32::to_le_bytes).collect();
    assert_eq!(digest(&edges), 0x2620_C5BA_5D51_7846);
    let other = draw(SceneOptions { seed: 4, ..options(320, 240, 12) });
    assert_ne!(digest(&other.canvas.pixels), digest(&scene.canvas.pixels));
}

#[test]
fn boxes_hold_their_objects_and_no_more() {
    let shape = |middle, half| Shape { middle, half, radius: 0.0, soft: 1.0, tone: 200.0, cover: 1.0 };
    let mut canvas = Canvas::new(40, 30);
    let edges = canvas.stamp([20.0, 10.0], [0.0, 1.0], &[shape([0.0, 0.0], [6.0, 3.0])]);
    assert_eq!(edges, Some([17, 4, 23, 16]));
    for y in 0..30 {
        for x in 0..40 {
            let inside = (17..23).contains(&x) && (4..16).contains(&y);
            assert_eq!(canvas.at(x, y), if inside { 200 } else { 0 }, "{x} {y}");
        }
    }
    // Parts beyond the picture are not counted.
    let edges = canvas.stamp([39.0, 29.0], [1.0, 0.0], &[shape([0.0, 0.0], [4.0, 2.0])]);
    assert_eq!(edges, Some([35, 27, 40, 30]));
    assert_eq!(canvas.stamp([90.0, 9.0], [1.0, 0.0], &[shape([0.0, 0.0], [4.0, 2.0])]), None);
    // What does not show is not counted.
    let faint = Shape { tone: 7.0, ..shape([0.0, 0.0], [4.0, 2.0]) };
    assert_eq!(canvas.stamp([8.0, 24.0], [1.0, 0.0], &[faint]), None);
}

#[test]
fn objects_have_the_sizes_of_their_classes_and_do_not_overlap() {
    let scene = draw(options(1200, 900, 400));
    for class in Class::ALL {
        let sides: Vec<u32> = scene
            .objects
            .iter()
            .filter(|object| object.class == class)
            .map(|Object { edges: [x0, y0, x1, y1], .. }| (x1 - x0).max(y1 - y0))
            .collect();
        let wanted = match class {
            Class::Person => 13..=22,
            Class::Car => 40..=66,
            Class::Bicycle => 22..=40,
        };
        assert!(sides.len() > 10 && sides.iter().all(|side| wanted.contains(side)), "{class:?} {sides:?}");
    }
    let mut taken = Taken::default();
    let mut random = Random::new(9);
    let town = Town::new(9);
    for number in 0..300 {
        let class = Class::ALL[number % 3];
        if let Some(pose) = find_place(options(700, 700, 0), &town, class, &taken, &mut random) {
            let all = taken.0.values().flatten();
            assert!(all.into_iter().all(|other| !overlap((class, pose), *other)));
            taken.add(class, pose);
        }
    }
    assert!(taken.0.values().flatten().count() > 60);
}

#[test]
fn any_size_is_drawn() {
    for [width, height] in [[MIN_SIDE; 2], [MIN_SIDE, 3000], [2000, 65]] {
        let scene = draw(options(width, height, 5000));
        assert_eq!(scene.canvas.pixels.len(), (width * height) as usize);
        assert!(scene.objects.len() < 5000);
        assert!(scene.objects.iter().all(|o| o.edges[2] <= width && o.edges[3] <= height));
    }
}
