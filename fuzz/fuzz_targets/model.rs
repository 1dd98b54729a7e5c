//! Bytes as a model file: safetensors with a JSON document in its metadata. The mutator changes a number or a word of
//! the document, or the header around it, and writes the file anew, most of the time.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::Value;
use tilehawk::model::Model;
use tilehawk_fuzz::limited;
use tilehawk_fuzz::proto::{NUMBERS, Random};

fuzz_target!(|bytes: &[u8]| {
    if let Some(model) = limited(bytes.len(), || Model::from_bytes(bytes).ok()) {
        let file =
            limited(bytes.len(), || model.to_bytes(false)).expect("a model that was read can be written");
        let again = limited(file.len(), || Model::from_bytes(&file)).expect("a written model can be read");
        assert!(again == model, "a model changes when it is written and read");
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(seed);
    match (random.below(16) != 0).then(|| rewritten(&data[..size], &mut random)).flatten() {
        Some(bytes) if bytes.len() <= max_size => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fn rewritten(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let header = bytes.get(8..)?.get(..length)?;
    let body = &bytes[8 + length..];
    let mut header: Value = serde_json::from_slice(header).ok()?;
    let text = header.get("__metadata__")?.get("tilehawk")?.as_str()?;
    let mut document: Value = serde_json::from_str(text).ok()?;
    for _ in 0..1 + random.below(3) {
        let root = if random.below(5) == 0 { &mut header } else { &mut document };
        let count = nodes(root);
        let donor = nth(root, &mut random.below(count))?.clone();
        let mut place = random.below(count);
        change(nth_mut(root, &mut place)?, donor, random);
    }
    header.get_mut("__metadata__")?.as_object_mut()?.insert("tilehawk".into(), document.to_string().into());
    let header = header.to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(body);
    Some(out)
}

fn change(value: &mut Value, donor: Value, random: &mut Random) {
    match value {
        Value::Number(_) if random.below(8) != 0 => {
            *value = match random.below(4) {
                0 => Value::from([0.0, -1.5, 0.5, 1e38, -1e38, 1e300][random.below(6)]),
                1 => Value::from(random.below(70)),
                _ => Value::from(NUMBERS[random.below(NUMBERS.len())]),
            };
        }
        Value::Array(list) if random.below(4) != 0 => {
            let at = random.below(list.len());
            match random.below(4) {
                0 => list.push(donor),
                1 if !list.is_empty() => {
                    list.remove(at);
                }
                2 if !list.is_empty() => list.push(list[at].clone()),
                _ if !list.is_empty() => {
                    let other = random.below(list.len());
                    list.swap(at, other);
                }
                _ => {}
            }
        }
        Value::Object(map) if random.below(4) == 0 => {
            if let Some(key) = map.keys().nth(random.below(map.len())).cloned() {
                map.remove(&key);
            }
        }
        Value::Object(_) if random.below(2) == 0 => {}
        Value::Null => {
            let kinds = r#"[{"kind":"dense"},{"kind":"gfl"},{"kind":"yolox"},"output",1,true]"#;
            if let Ok(Value::Array(kinds)) = serde_json::from_str(kinds) {
                *value = kinds[random.below(kinds.len())].clone();
            }
        }
        _ => *value = donor,
    }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(nodes).sum(),
        Value::Object(map) => map.values().map(nodes).sum(),
        _ => 0,
    }
}

fn nth<'a>(value: &'a Value, index: &mut usize) -> Option<&'a Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(list) => list.iter().find_map(|inner| nth(inner, index)),
        Value::Object(map) => map.values().find_map(|inner| nth(inner, index)),
        _ => None,
    }
}

fn nth_mut<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|inner| nth_mut(inner, index)),
        Value::Object(map) => map.values_mut().find_map(|inner| nth_mut(inner, index)),
        _ => None,
    }
}
