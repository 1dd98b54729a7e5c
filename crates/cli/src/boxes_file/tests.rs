use super::*;
use tilehawk::geom::{Edges, RectPx};
use tilehawk::{Error, ErrorKind};

fn tensor(rows: &[[f32; COLUMNS]]) -> Vec<u8> {
    let view = TensorView::new(Dtype::F32, vec![rows.len(), COLUMNS], bytemuck::cast_slice(rows)).unwrap();
    serialize([(BOXES, view)], None).unwrap()
}

fn with_edges(rows: &[[f32; COLUMNS]], dtype: Dtype, edges: &[u8]) -> Vec<u8> {
    let boxes = TensorView::new(Dtype::F32, vec![rows.len(), COLUMNS], bytemuck::cast_slice(rows)).unwrap();
    let edges = TensorView::new(dtype, vec![edges.len()], edges).unwrap();
    serialize([(BOXES, boxes), (EDGES, edges)], None).unwrap()
}

/// A merge that leaves these boxes, each changed by `change`, which is told its index.
fn leaves(
    kept: &[u32],
    change: impl Fn(u32, &mut MergeBox),
) -> impl Fn(&[MergeBox]) -> tilehawk::Result<Merged> {
    move |boxes| {
        let mut merged = Merged::default();
        for &index in kept.iter().filter(|&&index| (index as usize) < boxes.len()) {
            let mut item = boxes[index as usize];
            change(index, &mut item);
            merged.kept.push(index);
            merged.boxes.push(item);
        }
        Ok(merged)
    }
}

fn keeps(kept: &[u32]) -> impl Fn(&[MergeBox]) -> tilehawk::Result<Merged> {
    leaves(kept, |_, _| ())
}

fn json_of(file: &BoxesFile) -> String {
    String::from_utf8(file.to_bytes(Form::Json).unwrap()).unwrap()
}

const ROWS: [[f32; COLUMNS]; 3] = [
    [0.0, 0.0, 10.5, 10.0, 0.5, 2.0],
    [0.1, 1.0, 9.0, 9.0, 0.9, 0.0],
    [5.0, 5.0, 5.0, 6.0, 0.7, 16_777_215.0],
];

#[test]
fn a_tensor_goes_round() {
    let mut file = read::safetensors(&tensor(&ROWS)).unwrap();
    assert_eq!(file.count(), 3);
    file.merge(keeps(&[2, 0])).unwrap();
    assert_eq!(file.to_bytes(Form::Safetensors).unwrap(), tensor(&[ROWS[2], ROWS[0]]));
    let json = json_of(&file);
    assert!(json.contains(r#"{"cls_id":2,"score":0.5,"coordinate":[0.0,0.0,10.5,10.0]}"#), "{json}");
    assert_eq!(read::safetensors(&tensor(&[])).unwrap().count(), 0);
}

#[test]
fn bad_rows_are_named() {
    let change = |column: usize, value: f32| {
        let mut rows = ROWS;
        rows[1][column] = value;
        read::safetensors(&tensor(&rows)).map(|_| ()).unwrap_err()
    };
    for (column, value) in
        [(0, f32::NAN), (4, f32::INFINITY), (2, -1.0), (3, 0.5), (5, -1.0), (5, 0.5), (5, 16_777_216.0)]
    {
        let message = change(column, value);
        assert!(message.starts_with("box 1:"), "{message}");
    }
}

#[test]
fn wrong_shapes_types_and_bytes_are_refused() {
    let view = TensorView::new(Dtype::F32, vec![2, 3], &[0; 24]).unwrap();
    let flat = serialize([(BOXES, view)], None).unwrap();
    assert!(read::safetensors(&flat).unwrap_err().contains("[2, 3]"));
    let view = TensorView::new(Dtype::F32, vec![1, 6], &[0; 24]).unwrap();
    let other = serialize([("rows", view)], None).unwrap();
    assert!(read::safetensors(&other).unwrap_err().contains("rows"));
    let whole = tensor(&ROWS);
    assert!(read::safetensors(&whole[..whole.len() - 1]).is_err());
    assert!(read::safetensors(b"").is_err());
    for bad in ["", "3", "{}", r#"{"boxes": 1}"#, r#"[{"image_id": 1}]"#, "[1"] {
        assert!(read::json(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn coco_results_are_grouped_by_image_and_keep_their_fields() {
    let text = r#"[{"image_id":"b","score":0.5,"bbox":[1,2,3,4],"category_id":1,"track":"x"},{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.25},{"image_id":"b","category_id":90,"bbox":[0.5,0,1,1],"score":0.75}]"#;
    let mut file = read::json(text.as_bytes()).unwrap();
    assert_eq!(file.groups.len(), 2);
    assert_eq!(file.groups[0].boxes()[0].rect, RectPx::new(1.0, 2.0, 4.0, 6.0));
    assert!(file.check_form(Form::Safetensors).is_err());
    file.merge(keeps(&[1, 0])).unwrap();
    let out = json_of(&file);
    assert_eq!(
        out,
        r#"[{"image_id":"b","category_id":90,"bbox":[0.5,0,1,1],"score":0.75},{"image_id":"b","score":0.5,"bbox":[1,2,3,4],"category_id":1,"track":"x"},{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.25}]"#
    );
}

#[test]
fn a_document_keeps_its_other_fields() {
    let text = r#"{"input_path":"a.jpg","width":4,"height":5,"boxes":[{"cls_id":3,"label":"car","score":0.9,"coordinate":[0.1,2.0,30.7,4.5]},{"cls_id":3,"label":"car","score":0.1,"coordinate":[0,0,1,1]}],"stats":{"tiles":3}}"#;
    let mut file = read::json(text.as_bytes()).unwrap();
    file.merge(keeps(&[0])).unwrap();
    let out = json_of(&file);
    let cut = r#",{"cls_id":3,"label":"car","score":0.1,"coordinate":[0,0,1,1]}"#;
    assert_eq!(out, text.replace(cut, ""));
}

#[test]
fn a_changed_box_changes_only_its_own_numbers() {
    let text = r#"{"boxes":[{"cls_id":3,"label":"car","score":0.90,"coordinate":[1,2.50,30,4],"track":[7]},{"cls_id":5,"label":"bus","score":0.1,"coordinate":[0,0,1,1]}]}"#;
    let grown = |_, item: &mut MergeBox| {
        item.rect.x0 = 0.1;
        item.rect.y1 = 9.0;
        (item.class_id, item.score) = (5, 0.7);
    };
    let mut file = read::json(text.as_bytes()).unwrap();
    file.merge(leaves(&[0], grown)).unwrap();
    assert_eq!(
        json_of(&file),
        r#"{"boxes":[{"cls_id":5,"label":"bus","score":0.7,"coordinate":[0.1,2.5,30,9.0],"track":[7]}]}"#
    );
    assert_eq!(
        file.to_bytes(Form::Safetensors).unwrap(),
        tensor(&[[0.1, 2.5, 30.0, 9.0, 0.7, 5.0]]),
        "the tensor has the merged box too"
    );
}

#[test]
fn a_changed_coco_entry_has_the_new_size_area_and_name() {
    let entry = |rest: &str| {
        format!(
            r#"{{"image_id":1,"category_id":2,"bbox":{rest},"score":0.5,"category_name":"car","iscrowd":0}}"#
        )
    };
    let other = r#"{"image_id":2,"category_id":4,"bbox":[0,0,1,1],"score":0.25}"#;
    let text = format!("[{},{other}]", entry(r#"[10,20,5,6],"area":30"#));
    let change = |_, item: &mut MergeBox| {
        if item.class_id == 2 {
            item.rect.x1 = 18.0;
            item.class_id = 4;
        }
    };
    let mut file = read::json(text.as_bytes()).unwrap();
    file.merge(leaves(&[0], change)).unwrap();
    let wanted = entry(r#"[10,20,8.0,6],"area":48.0"#);
    let wanted = wanted.replace(r#""category_id":2"#, r#""category_id":4"#);
    // No entry names class 4.
    let wanted = wanted.replace(r#","category_name":"car""#, "");
    assert_eq!(json_of(&file), format!("[{wanted},{other}]"));
    let mut file = read::json(text.as_bytes()).unwrap();
    file.merge(leaves(&[0], |_, item: &mut MergeBox| item.rect.y0 = 0.0)).unwrap();
    let out = json_of(&file);
    assert!(out.contains(r#""bbox":[10,0.0,5,26.0]"#), "{out}");
    assert!(out.contains(r#""bbox":[0,0,1,1]"#), "{out}");
}

#[test]
fn edges_go_round_in_both_forms() {
    let mut file = read::safetensors(&with_edges(&ROWS, Dtype::U8, &[0, 15, 4])).unwrap();
    assert!(file.has_edges());
    assert_eq!(file.groups[0].boxes()[2].edges, Edges::RIGHT);
    file.merge(keeps(&[2, 1])).unwrap();
    assert_eq!(
        file.to_bytes(Form::Safetensors).unwrap(),
        with_edges(&[ROWS[2], ROWS[1]], Dtype::U8, &[4, 15])
    );
    assert!(json_of(&file).contains(r#""coordinate":[0.1,1.0,9.0,9.0],"edges":15}"#));
    let text = r#"{"boxes":[{"cls_id":3,"score":0.9,"coordinate":[1,2,30,4],"edges":9},{"cls_id":5,"score":0.1,"coordinate":[0,0,1,1]}]}"#;
    let mut file = read::json(text.as_bytes()).unwrap();
    assert!(file.has_edges());
    file.merge(keeps(&[0, 1])).unwrap();
    assert_eq!(json_of(&file), text);
    let rows = [[1.0, 2.0, 30.0, 4.0, 0.9, 3.0], [0.0, 0.0, 1.0, 1.0, 0.1, 5.0]];
    assert_eq!(file.to_bytes(Form::Safetensors).unwrap(), with_edges(&rows, Dtype::U8, &[9, 0]));
    assert!(!read::safetensors(&tensor(&ROWS)).unwrap().has_edges());
}

#[test]
fn wrong_edges_are_named() {
    let refused = |bytes: &[u8]| read::safetensors(bytes).map(|_| ()).unwrap_err();
    assert!(refused(&with_edges(&ROWS, Dtype::U8, &[0, 1, 16])).starts_with("box 2: edges 16 are not"));
    assert!(refused(&with_edges(&ROWS, Dtype::U8, &[0, 1])).contains("is U8 [2]; give U8 [3]"));
    assert!(refused(&with_edges(&ROWS, Dtype::I8, &[0, 1, 2])).contains("is I8 [3]; give U8 [3]"));
    for edges in ["16", "-1", "1.5", "\"left\"", "null", "[1]"] {
        let text = format!(
            r#"[{{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1}},{{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1,"edges":{edges}}}]"#
        );
        let message = read::json(text.as_bytes()).map(|_| ()).unwrap_err();
        assert!(message.starts_with("box 1: edges ") && message.contains("2 top"), "{message}");
    }
}

#[test]
fn bare_words_are_refused_where_they_stand() {
    let entry = |score: &str, note: &str| {
        format!(r#"{{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":{score},"note":{note}}}"#)
    };
    let refused = |entry: &str| {
        let text = format!("[{},{entry}]", entry_of_one());
        read::json(text.as_bytes()).map(|_| ()).unwrap_err()
    };
    for word in ["NaN", "Infinity", "-Infinity"] {
        let message = refused(&entry(word, r#""\"NaN""#));
        assert!(message.starts_with("box 1: ") && message.contains(word), "{message}");
    }
    assert!(refused(&entry("0.5", "NaN")).contains("no NaN"));
    assert!(
        refused(r#"{"image_id":1,"category_id":2,"bbox":[0,0,-1,1],"score":1}"#).contains("negative size")
    );
    let sound = entry("0.5", r#""NaN \" NaN""#);
    assert_eq!(quoted(&sound), sound);
    assert_eq!(quoted(r#"[NaN,"\\",-Infinity]"#), r#"["NaN","\\","-Infinity"]"#);
}

fn quoted(text: &str) -> String {
    String::from_utf8(read::quote_words(text.as_bytes())).unwrap()
}

fn entry_of_one() -> &'static str {
    r#"{"image_id":1,"category_id":2,"bbox":[0,0,1,1],"score":1}"#
}

#[test]
fn the_row_of_the_file_is_named() {
    let entry = |image: u32, class: u32, score: f32| json!({"image_id": image, "category_id": class, "bbox": [0, 0, 1, 1], "score": score});
    let entries =
        json!([entry(1, 0, 0.5), entry(2, 0, 0.5), entry(1, 3, 0.5), entry(2, 1, 1.5), entry(1, 0, 7.0)]);
    let mut file = read::json(entries.to_string().as_bytes()).unwrap();
    file.groups[0].retain(|item| item.class_id != 0 || item.score > 1.0);
    assert_eq!(file.count(), 4);
    let message = file.check_shares("wbf").unwrap_err();
    assert!(message.starts_with("box 3: score 1.5 is outside [0, 1], which wbf needs; "), "{message}");
    let refused = file.merge(|_| Err(Error::new(ErrorKind::Input, "box 1: corners are bad"))).unwrap_err();
    assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Input, "box 4: corners are bad"));
    for message in ["box 9: beyond", "boxes", "box x: y"] {
        let refused = file.merge(|_| Err(Error::new(ErrorKind::Device, message))).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

#[test]
fn an_image_without_boxes_is_not_merged() {
    let mut file = read::json(format!("[{}]", entry_of_one()).as_bytes()).unwrap();
    file.groups[0].retain(|_| false);
    file.merge(|_| Err(Error::new(ErrorKind::Device, "called"))).unwrap();
    assert_eq!(json_of(&file), "[]");
}
