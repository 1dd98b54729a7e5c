use super::*;
use crate::scene::{self, Object};
use tilehawk::geom::RectPx;

const OPTIONS: SceneOptions = SceneOptions { width: 64, height: 64, objects: 0, seed: 1 };

fn scene(objects: &[(Class, [u32; 4])]) -> Scene {
    let mut scene = scene::draw(OPTIONS);
    scene.objects = objects.iter().map(|&(class, edges)| Object { class, edges }).collect();
    scene
}

fn item(x0: f32, x1: f32, score: f32) -> Detection {
    Detection { rect: RectPx::new(x0, 0.0, x1, 10.0), score, class_id: 0 }
}

#[test]
fn boxes_count_for_their_class_and_once() {
    let scene = scene(&[(Class::Car, [0, 0, 10, 10]), (Class::Person, [20, 0, 30, 10])]);
    let items = [item(0.0, 9.0, 0.9), item(0.0, 10.0, 0.5), item(20.0, 30.0, 0.8), item(20.0, 29.0, 0.3)];
    let labels = ["car", "Car", "Car", "boat"].map(str::to_owned);
    let judged = Judged::new(&scene, &items, &labels);
    assert_eq!(
        (&judged.right[..], &judged.found[..]),
        (&[true, false, false, false][..], &[true, false][..])
    );
    let names: Vec<&str> = judged.tallies.iter().map(|tally| tally.name.as_str()).collect();
    assert_eq!(names, ["Person", "Car", "Bicycle", "boat"]);
    assert_eq!((judged.all().precision(), judged.all().recall()), (Some(0.25), Some(0.5)));
    let text = table(&judged);
    assert!(text.contains("\nCar            1      1       0      2\n"), "{text}");
    assert!(text.ends_with(
        "precision 25.0 %, recall 50.0 % (a box finds an object of its class from an IOU of 0.5)"
    ));
    let marks = marks(&scene, &items, &labels, &judged);
    let texts: Vec<&str> = marks.iter().map(|mark| mark.texts[0].as_str()).collect();
    assert_eq!(texts, ["car 0.90", "false Car 0.50", "false Car 0.80", "false boat 0.30", "missed Person"]);
}

#[test]
fn no_boxes_have_no_precision() {
    let judged = Judged::new(&scene(&[]), &[], &[]);
    assert_eq!((judged.all().precision(), judged.all().recall()), (None, None));
    assert!(table(&judged).contains("precision -, recall -"));
}

#[test]
fn the_objects_are_a_data_set() {
    let scene = scene(&[(Class::Bicycle, [1, 2, 11, 6])]);
    let text = truth(&scene, OPTIONS, "scene.png", &["bicycle".to_owned()]).to_json().unwrap();
    let (dataset, repairs) = Dataset::parse(&text).unwrap();
    assert_eq!(repairs.lines().count(), 0);
    let only = &dataset.annotations[0];
    assert_eq!(
        (only.bbox, only.area, dataset.category_name(only.category_id)),
        ([1.0, 2.0, 10.0, 4.0], 40.0, "bicycle")
    );
}
