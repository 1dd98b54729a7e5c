use super::*;
use serde_json::json;

fn parse(value: &Value) -> Result<(Dataset, Repairs)> {
    Dataset::parse(value.to_string().as_bytes())
}

/// Two pictures, two classes, and these annotations.
fn with(annotations: &Value) -> Value {
    json!({
        "info": {"year": 2024},
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 50, "license": 3},
                   {"id": 2, "file_name": "b.png", "width": 100, "height": 50}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "car", "supercategory": "vehicle"}, {"id": 3, "name": "cow"}],
    })
}

#[test]
fn a_good_file_comes_back_as_it_was() {
    let value = with(&json!([
        {"id": 9, "image_id": 1, "category_id": 3, "bbox": [1.5, 2.0, 3.0, 4.0], "area": 7.25, "iscrowd": 1,
         "segmentation": [[1, 2, 3, 4, 5, 6]], "occluded": true},
        {"id": 4, "image_id": 2, "category_id": 1, "bbox": [0.0, 0.0, 1.0, 1.0], "area": 1.0, "iscrowd": 0, "ignore": 1},
    ]));
    let (dataset, repairs) = parse(&value).unwrap();
    assert!(repairs.is_empty(), "{repairs:?}");
    assert_eq!(dataset.categories[0].supercategory(), Some("vehicle"));
    assert!(dataset.annotations[0].iscrowd && dataset.annotations[1].ignore);
    assert_eq!(serde_json::from_slice::<Value>(&dataset.to_json().unwrap()).unwrap(), value);
}

#[test]
fn flaws_are_made_good_and_counted() {
    let value = with(&json!([
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": []},
        {"id": 4, "image_id": 1, "category_id": 1},
        {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, -3, 4]},
        {"id": 6, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": null, "ignore": true},
        {"id": 6, "image_id": 1, "category_id": 1, "bbox": [90, 2, 30, 4], "area": 60},
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], "area": 1},
        {"id": 9, "image_id": 1, "category_id": 1, "bbox": [100, 2, 3, 4], "area": 1},
    ]));
    let (mut dataset, mut repairs) = parse(&value).unwrap();
    for (repair, count) in [
        (Repair::UnknownImage, 1),
        (Repair::UnknownCategory, 1),
        (Repair::NoBox, 2),
        (Repair::NegativeBox, 1),
        (Repair::NoArea, 1),
        (Repair::NewId, 2),
        (Repair::EmptyBox, 1),
        (Repair::Outside, 2),
    ] {
        assert_eq!(repairs.count(repair), count, "{repair:?}");
    }
    let first = repairs.lines().next().unwrap();
    assert!(first.contains("1 annotations of images") && first.contains("image_id 7"), "{first}");
    assert_eq!(dataset.annotations.iter().map(|a| a.id).collect::<Vec<_>>(), [6, 10, 11, 9]);
    assert_eq!(dataset.annotations[0].area, 12.0);
    assert!(dataset.annotations[0].ignore);
    dataset.clip_boxes(&mut repairs);
    let outside = [Repair::Outside, Repair::Clipped, Repair::OutsideLeftOut];
    assert_eq!(outside.map(|repair| repairs.count(repair)), [0, 1, 1]);
    assert_eq!((dataset.annotations[1].bbox, dataset.annotations[1].area), ([90.0, 2.0, 10.0, 4.0], 20.0));
    assert_eq!(dataset.annotations.len(), 3);
}

#[test]
fn lists_that_are_absent() {
    let (dataset, repairs) = parse(&json!({"images": [{"id": 1}], "categories": []})).unwrap();
    assert!(dataset.annotations.is_empty());
    assert_eq!((repairs.count(Repair::NoAnnotations), repairs.count(Repair::NoSize)), (1, 1));
    for (value, reason) in [
        (json!({"annotations": [], "categories": []}), "missing field `images`"),
        (json!({"images": [], "annotations": []}), "missing field `categories`"),
        (json!([]), "belongs with the detections"),
        (json!(3), "not a COCO data set"),
    ] {
        let message = parse(&value).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn what_cannot_be_made_good_is_refused() {
    let category = |id: u64, name: &str| json!({"id": id, "name": name});
    let set = |images: Value, categories: Value| json!({"images": images, "annotations": [], "categories": categories});
    let mut bad_box = with(&json!([{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}]));
    let message = parse(&bad_box).unwrap_err().to_string();
    assert!(message.contains("annotation 0, id 1: bbox has 3 numbers"), "{message}");
    bad_box["annotations"][0]["bbox"] = json!([1, 2, 3, 1e30]);
    assert!(parse(&bad_box).is_err());
    for (value, reason) in [
        (set(json!([{"id": 1}, {"id": 2}, {"id": 1}]), json!([])), "`images` 0 and 2 both have id 1"),
        (set(json!([]), json!([category(1, "a"), category(1, "b")])), "`categories` 0 and 1"),
        (set(json!([]), json!([category(1, "a"), category(2, "a")])), "both named \"a\""),
        (set(json!([{"id": "x"}]), json!([])), "line 1 column"),
    ] {
        let message = parse(&value).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    let broken = Dataset::parse(b"{\"images\": [],\n \"categories\": [}").unwrap_err().to_string();
    assert!(broken.contains("line 2 column 17"), "{broken}");
    assert!(Dataset::parse(b"").is_err());
    assert!(Dataset::parse(b"{\"images\": [NaN]}").is_err());
}

#[test]
fn files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.json");
    assert!(Dataset::load(&path).unwrap_err().to_string().contains("set.json: cannot be read"));
    std::fs::write(&path, "\u{feff}{\"images\": [], \"categories\": []}").unwrap();
    assert!(Dataset::load(&path).is_ok());
    assert!(Dataset::load(folder.path()).unwrap_err().to_string().contains("not a file"));
}

#[test]
fn sides_and_areas_in_the_ways_that_tools_write_them() {
    let images = json!([{"id": 1, "width": null, "height": 20.0}, {"id": 2, "width": 30, "height": 40}]);
    let object = json!({"id": 1, "image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4], "area": -5});
    let text = json!({"images": images, "annotations": [object], "categories": [{"id": 1, "name": "a"}]});
    let (dataset, repairs) = parse(&text).unwrap();
    let sizes: Vec<_> = dataset.images.iter().map(|image| (image.width, image.height)).collect();
    assert_eq!(sizes, [(0, 20), (30, 40)]);
    assert_eq!((dataset.annotations[0].area, repairs.count(Repair::NoArea)), (12.0, 1));
    let text = json!({"images": [{"id": 1, "width": 20.5}], "categories": []});
    assert!(parse(&text).unwrap_err().to_string().contains("a side of 20.5 pixels"));
}
