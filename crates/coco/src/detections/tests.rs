use super::*;
use serde_json::{Value, json};

fn dataset() -> Dataset {
    let text = json!({
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "u/b.png"}, {"id": 3, "file_name": "v/b.png"}],
        "categories": [{"id": 1, "name": "car"}, {"id": 3, "name": "cow"}],
    });
    Dataset::parse(text.to_string().as_bytes()).unwrap().0
}

fn parse(value: &Value) -> Result<Detections> {
    Detections::parse(value.to_string().as_bytes(), &dataset())
}

fn result(image_id: u64, category_id: u64) -> Value {
    json!({"image_id": image_id, "category_id": category_id, "bbox": [1, 2, 3, 4], "score": 0.5, "area": 12})
}

#[test]
fn results_that_do_not_fit_are_counted() {
    let mut flipped = result(1, 1);
    flipped["bbox"] = json!([5, 5, -1, 2]);
    let list = json!([result(1, 1), result(9, 1), result(9, 3), result(2, 2), result(2, 3), flipped]);
    let found = parse(&list).unwrap();
    assert_eq!(found.form, DetectionsForm::Results);
    assert_eq!(found.items.len(), 2);
    assert_eq!(found.items[0].bbox, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(found.unknown_images, BTreeMap::from([("9".to_owned(), 2)]));
    assert_eq!(found.unknown_categories, BTreeMap::from([("2".to_owned(), 1)]));
    assert_eq!(found.negative, 1);
    assert!(parse(&json!([])).unwrap().items.is_empty());
}

#[test]
fn results_of_another_data_set_are_refused() {
    let mut entry = result(1, 1);
    entry["file_name"] = json!("a.png");
    assert_eq!(parse(&json!([entry])).unwrap().form, DetectionsForm::NumberedResults);
    entry["file_name"] = json!("z.png");
    let message = parse(&json!([entry])).unwrap_err().to_string();
    assert!(message.contains("result 0: image_id 1 is \"z.png\"") && message.contains("--gt"), "{message}");
}

#[test]
fn broken_files_are_refused() {
    let mut short = result(1, 1);
    short["bbox"] = json!([1, 2]);
    let mut empty = result(1, 1);
    empty["bbox"] = json!([]);
    for (value, reason) in [
        (json!([result(1, 1), short]), "result 1: bbox has 2 numbers"),
        (json!([empty]), "result 0: bbox is empty"),
        (json!([{"image_id": 1}]), "missing field"),
        (json!({"images": []}), "document 0"),
        (json!(3), "neither"),
    ] {
        let message = parse(&value).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    for text in ["", "[{\"image_id\": 1,", "[NaN]", "{\"input_path\": \"a.png\", \"boxes\": [", "[1e999]"] {
        assert!(Detections::parse(text.as_bytes(), &dataset()).is_err(), "{text}");
    }
}

#[test]
fn documents_match_by_names() {
    let boxes = json!([{"cls_id": 0, "label": "cow", "score": 0.5, "coordinate": [1, 2, 4, 6]},
                       {"cls_id": 1, "label": "pig", "score": 0.5, "coordinate": [1, 2, 4, 6]}]);
    let document =
        |path: &str| json!({"input_path": path, "width": 9, "height": 9, "boxes": boxes}).to_string();
    let read = |paths: &[&str]| {
        let text: String = paths.iter().map(|path| document(path) + "\n").collect();
        Detections::parse(text.as_bytes(), &dataset())
    };
    let found = read(&["x/a.png", "x/v/b.png", "no.png"]).unwrap();
    assert_eq!(found.form, DetectionsForm::Documents);
    let ids: Vec<_> = found.items.iter().map(|item| (item.image_id, item.category_id)).collect();
    assert_eq!(ids, [(1, 3), (3, 3)]);
    assert_eq!(found.items[0].bbox, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(found.unknown_categories["pig"], 2);
    assert_eq!(found.unknown_images["no.png"], 2);
    assert!(read(&["b.png"]).unwrap_err().to_string().contains("2 images of this name"));
    assert!(read(&["x/a.png", "y/a.png"]).unwrap_err().to_string().contains("both image id 1"));
}
