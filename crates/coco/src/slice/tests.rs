use super::*;
use crate::{Dataset, SlicedDataset};
use serde_json::json;

fn objects(annotations: &Value) -> Objects {
    let text = json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 100}],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "car"}],
    });
    let (dataset, _) = Dataset::parse(text.to_string().as_bytes()).unwrap();
    Objects::new(&dataset.annotations)
}

fn one(bbox: [f64; 4]) -> Objects {
    objects(&json!([{"id": 1, "image_id": 1, "category_id": 3, "bbox": bbox}]))
}

#[test]
fn a_share_of_whole_pixels_decides() {
    let tile = [0, 0, 50, 50];
    // 10 of 100 pixels are in the tile.
    assert_eq!(one([49.0, 0.0, 10.0, 10.0]).cut(tile, 0.1).len(), 1);
    assert!(one([49.0, 0.0, 10.0, 10.0]).cut(tile, 0.100_001).is_empty());
    // 9.99 of 99.9 pixels count as 9 of 99.
    assert!(one([49.0, 0.0, 10.0, 9.99]).cut(tile, 0.1).is_empty());
    // Less than a pixel: half of it is in the tile.
    assert_eq!(one([49.75, 0.0, 0.5, 0.5]).cut(tile, 0.5).len(), 1);
    assert!(one([49.75, 0.0, 0.5, 0.5]).cut(tile, 0.51).is_empty());
    assert!(one([50.0, 0.0, 10.0, 10.0]).cut(tile, 0.0).is_empty());
}

#[test]
fn what_cannot_be_cut_is_counted() {
    let odd = |segmentation: Value| json!({"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 10, 20, 20], "segmentation": segmentation});
    let box_cut = one([10.0, 10.0, 20.0, 20.0]).cut([0, 0, 50, 50], 0.1);
    for (segmentation, flaws) in [
        (json!([[1, 2, 3, 4]]), ShapeFlaws { polygons: 1, ..ShapeFlaws::default() }),
        (json!([[1, 2, 3, 4, 5, 6, 7]]), ShapeFlaws { polygons: 1, ..ShapeFlaws::default() }),
        (json!([[]]), ShapeFlaws { polygons: 1, ..ShapeFlaws::default() }),
        (json!(["a"]), ShapeFlaws { polygons: 1, ..ShapeFlaws::default() }),
        (json!([[1, 2, 3, 4, 5, 1e300]]), ShapeFlaws { polygons: 1, ..ShapeFlaws::default() }),
        (json!({"counts": "abc", "size": [100, 100]}), ShapeFlaws { masks: 1, ..ShapeFlaws::default() }),
        (json!([]), ShapeFlaws::default()),
        (json!(null), ShapeFlaws::default()),
    ] {
        let objects = objects(&json!([odd(segmentation.clone())]));
        assert_eq!(objects.flaws(), flaws, "{segmentation}");
        assert_eq!(objects.cut([0, 0, 50, 50], 0.1), box_cut, "{segmentation}");
    }
    assert_eq!(one([10.0, 10.0, 0.0, 5.0]).flaws().empty, 1);
    let line = objects(&json!([odd(json!([[1, 1, 5, 5, 9, 9]]))]));
    assert_eq!(line.flaws().lines().collect::<Vec<_>>(), ["1 annotations without area: left out"]);
}

#[test]
fn ids_count_from_one_and_flags_stay() {
    let objects = objects(&json!([
        {"id": 7, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "iscrowd": 1},
        {"id": 9, "image_id": 1, "category_id": 3, "bbox": [45, 1, 10, 5], "ignore": 1},
    ]));
    let mut sliced = SlicedDataset::new(Vec::new());
    for x in [0, 50] {
        sliced.push(format!("t{x}.png"), [50, 50], objects.cut([x, 0, x + 50, 50], 0.1));
    }
    assert_eq!(sliced.counts(), [2, 3]);
    let written = serde_json::to_string(&sliced).unwrap();
    assert!(
        written.starts_with(r#"{"images":[{"height":50,"width":50,"id":1,"file_name":"t0.png"},"#),
        "{written}"
    );
    let second = r#"{"iscrowd":0,"ignore":1,"image_id":2,"bbox":[0.0,1.0,5.0,5.0],"segmentation":[[5,6,5,1,0,1,0,6]],"category_id":3,"id":3,"area":25}"#;
    assert!(written.contains(second), "{written}");
}
