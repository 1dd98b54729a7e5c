//! Protobuf in pieces: a writer, and a mutator that keeps the lengths of nested messages right.

/// A message being written.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Message {
    /// Appends an integer.
    pub fn int(mut self, field: u64, value: i64) -> Self {
        varint(&mut self.0, field << 3);
        varint(&mut self.0, value as u64);
        self
    }

    /// Appends a float.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        varint(&mut self.0, field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends bytes.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        varint(&mut self.0, field << 3 | 2);
        varint(&mut self.0, value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Appends an embedded message.
    pub fn message(self, field: u64, value: &Message) -> Self {
        self.bytes(field, &value.0)
    }

    /// Appends a string.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }
}

/// A field: its key, its payload, and whether the payload is of a stated length.
type Field<'a> = (u64, &'a [u8], bool);

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn fields(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        let key = read_varint(bytes, &mut at)?;
        let start = at;
        let (from, to) = match key & 7 {
            0 => {
                read_varint(bytes, &mut at)?;
                (start, at)
            }
            1 => (start, start + 8),
            5 => (start, start + 4),
            2 => {
                let length = usize::try_from(read_varint(bytes, &mut at)?).ok()?;
                (at, at.checked_add(length)?)
            }
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        found.push((key, bytes.get(from..to)?, key & 7 == 2));
        at = to;
    }
    Some(found)
}

fn write(fields: &[(u64, Vec<u8>, bool)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, payload, sized) in fields {
        varint(&mut out, *key);
        if *sized {
            varint(&mut out, payload.len() as u64);
        }
        out.extend(payload);
    }
    out
}

/// A small generator of numbers: xorshift.
pub struct Random(u64);

impl Random {
    /// From libFuzzer's seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed) << 1 | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }
}

/// Numbers at which readers fail.
pub const NUMBERS: [i64; 24] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    64,
    255,
    256,
    4096,
    65535,
    65536,
    1 << 20,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    -1,
    -2,
    -4,
    i64::MAX,
    i64::MIN,
];

/// Changes one thing somewhere in a message, or gives none if the bytes are no message. `change` mutates a payload.
pub fn mutate(
    bytes: &[u8],
    random: &mut Random,
    depth: usize,
    change: &mut dyn FnMut(&[u8]) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let found = fields(bytes)?;
    if found.is_empty() {
        return None;
    }
    let mut all: Vec<(u64, Vec<u8>, bool)> = found.iter().map(|&(k, p, s)| (k, p.to_vec(), s)).collect();
    let at = random.below(all.len());
    // The graph is by far the largest field of a file: most changes belong into it.
    let at = if depth == 0 {
        (0..all.len()).max_by_key(|&i| all[i].1.len()).filter(|_| at != 0).unwrap_or(at)
    } else {
        at
    };
    match random.below(if depth == 0 { 40 } else { 16 }) {
        0 => {
            all.remove(at);
        }
        1 => {
            let copy = all[at].clone();
            let to = random.below(all.len() + 1);
            all.insert(to, copy);
        }
        2 => {
            let other = random.below(all.len());
            all.swap(at, other);
        }
        3 => {
            let other = random.below(all.len());
            if all[other].2 == all[at].2 {
                all[at].1 = all[other].1.clone();
            }
        }
        _ if all[at].2 => {
            let inner = if depth < 6 { mutate(&all[at].1, random, depth + 1, change) } else { None };
            // A list of packed integers and a short string may look like a message.
            all[at].1 = match inner {
                Some(inner) if random.below(8) != 0 => inner,
                _ => packed(&all[at].1, random).unwrap_or_else(|| change(&found[at].1)),
            };
        }
        _ if all[at].0 & 7 == 0 => {
            all[at].1.clear();
            let value = NUMBERS[random.below(NUMBERS.len())];
            varint(&mut all[at].1, value as u64);
        }
        _ => {
            let floats = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 3e38, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            let value = floats[random.below(floats.len())];
            let bytes = value.to_le_bytes();
            let len = all[at].1.len();
            all[at].1 = bytes.iter().copied().cycle().take(len).collect();
        }
    }
    Some(write(&all))
}

/// Raw data of i64 with one of them changed.
fn packed(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    if bytes.is_empty() || bytes.len() % 8 != 0 || random.below(2) == 0 {
        return None;
    }
    let mut out = bytes.to_vec();
    let at = random.below(bytes.len() / 8) * 8;
    out[at..at + 8].copy_from_slice(&NUMBERS[random.below(NUMBERS.len())].to_le_bytes());
    Some(out)
}
