//! The door's JSON beside Python's: of generated documents, whole and damaged, each one that is let in is
//! read and written by Python, and each one that is not is refused by Python too, or by a stated limit.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use cloudfunc::payload::json::{self, What};

const DOCUMENTS: usize = 20_000;

/// Answers a line for each: 1 when the document can be read and written again as the shim does.
const READER: &str = r"
import base64, json, sys
for line in sys.stdin:
    try:
        value = json.loads(base64.b64decode(line).decode('utf-8'))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode('utf-8')
        print(1)
    except (ValueError, RecursionError):
        print(0)
";

#[test]
fn what_is_let_in_is_what_python_reads() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut documents: Vec<Vec<u8>> = (0..DOCUMENTS).map(|_| document(&mut random)).collect();
    for depth in [499, 500, 501, 900, 1100] {
        documents.push(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into());
        documents.push(format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth)).into());
    }
    documents.extend([4299, 4300, 4301].map(|digits| "1".repeat(digits).into()));
    let read = python(&documents);
    let mut accepted = 0;
    for (document, read) in documents.iter().zip(read) {
        let shown = String::from_utf8_lossy(&document[..document.len().min(200)]);
        match json::check(document) {
            Ok(()) => {
                accepted += 1;
                assert!(read, "let in, and Python cannot read it: {shown}");
            }
            Err(fault) => {
                let limit = matches!(
                    fault.what,
                    What::Constant | What::Surrogate(_) | What::Deep(_) | What::Huge
                );
                assert!(!read || limit, "Python reads it: {shown}: {fault}");
                assert!(fault.offset <= document.len(), "{shown}: {fault}");
            }
        }
        // Another reader's word for what is JSON at all.
        let serde = serde_json::from_slice::<serde::de::IgnoredAny>(document).is_ok();
        let strict = json::check(document).map_err(|fault| fault.what);
        let beyond_serde = matches!(
            strict,
            Err(What::Surrogate(_) | What::Deep(_) | What::Digits(_) | What::Huge | What::Utf8(_))
        );
        assert!(serde == strict.is_ok() || beyond_serde, "{shown}: {strict:?}");
    }
    let share = accepted * 100 / documents.len();
    assert!((20..80).contains(&share), "{share} % are let in: the test would say little");
}

fn python(documents: &[Vec<u8>]) -> Vec<bool> {
    let mut child = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs the functions of the light stack");
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = documents.iter().map(|bytes| BASE64_STANDARD.encode(bytes) + "\n").collect();
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let read: Vec<bool> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| line == b"1")
        .collect();
    assert_eq!(read.len(), documents.len());
    read
}

/// xorshift: the same documents at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one<'t>(&mut self, of: &[&'t [u8]]) -> &'t [u8] {
        of[self.below(of.len())]
    }
}

/// A value, in half of the cases with a few bytes damaged.
fn document(random: &mut Random) -> Vec<u8> {
    const DAMAGE: &[&[u8]] = &[
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"0",
        b"-",
        b".",
        b"e",
        b" ",
        b"\0",
        b"\x1f",
        b"\x7f",
        b"\x80",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"NaN",
        b"-Infinity",
        b"\\u",
        b"\xef\xbb\xbf",
        b"\n",
        b"t",
    ];
    let mut bytes = Vec::new();
    value(random, 0, &mut bytes);
    let damaged = if random.below(2) == 0 { 0 } else { 1 + random.below(2) };
    for _ in 0..damaged {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(3)).min(bytes.len());
        let piece = random.one(DAMAGE);
        bytes.splice(at..end, piece.iter().copied());
    }
    bytes
}

fn value(random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    const SCALARS: &[&[u8]] = &[
        b"0",
        b"-0",
        b"17",
        b"-1.5",
        b"2e10",
        b"1E-7",
        b"0.1e+3",
        b"123456789012345678901234567890",
        b"true",
        b"false",
        b"null",
        b"1e400",
    ];
    space(random, out);
    match random.below(if depth > 6 { 2 } else { 5 }) {
        0 => out.extend_from_slice(random.one(SCALARS)),
        1 => string(random, out),
        2 => items(random, out, b'[', b']', |random, out| value(random, depth + 1, out)),
        _ => items(random, out, b'{', b'}', |random, out| {
            space(random, out);
            string(random, out);
            space(random, out);
            out.push(b':');
            value(random, depth + 1, out);
        }),
    }
    space(random, out);
}

fn items(
    random: &mut Random,
    out: &mut Vec<u8>,
    open: u8,
    close: u8,
    mut item: impl FnMut(&mut Random, &mut Vec<u8>),
) {
    out.push(open);
    let count = random.below(4);
    for index in 0..count {
        if index > 0 {
            out.push(b',');
        }
        item(random, out);
    }
    if count == 0 {
        space(random, out);
    }
    out.push(close);
}

fn string(random: &mut Random, out: &mut Vec<u8>) {
    const PIECES: &[&[u8]] = &[
        b"a",
        b"key",
        b"longer than eight bytes",
        b"\\n",
        b"\\\"",
        b"\\\\",
        b"\\/",
        b"\\u00e9",
        b"\\ud83d\\ude00",
        b"\\u0000",
        b"\xc3\xa9",
        b"\xe2\x82\xac",
        b"\xf0\x9f\x98\x80",
        b"\x7f",
        b" ",
    ];
    out.push(b'"');
    for _ in 0..random.below(5) {
        out.extend_from_slice(random.one(PIECES));
    }
    if random.below(60) == 0 {
        out.extend_from_slice(b"\\udc00");
    }
    out.push(b'"');
}

fn space(random: &mut Random, out: &mut Vec<u8>) {
    if random.below(8) == 0 {
        out.extend_from_slice(random.one(&[b" ", b"\n", b"\t\r\n"]));
    }
}
