use super::*;

fn refused(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let shown = &bytes[..bytes.len().min(40)];
    check(bytes).expect_err(&format!("{:?}", String::from_utf8_lossy(shown))).to_string()
}

fn not_valid(bytes: impl AsRef<[u8]>, rest: &str) {
    assert_eq!(refused(bytes), format!("the payload is not valid JSON: {rest}"));
}

#[test]
fn what_is_json_is_accepted() {
    for text in [
        "0",
        "-0",
        " [ ] ",
        "{}",
        "true",
        "\t\r\nnull\n",
        "-12.5e+10",
        "1E5",
        r#"{"a":{"b":[1,2,{"c":null}]},"a":false}"#,
        r#""\"\\\/\b\f\n\r\t\u00e9 ü 😀 \ud83d\ude00 longer than eight bytes""#,
        "\"\u{7f}\\u0000\"",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
    assert_eq!(check("9".repeat(MAX_DIGITS).as_bytes()), Ok(()));
    assert_eq!(check(format!("-0.{}", "9".repeat(2 * MAX_DIGITS)).as_bytes()), Ok(()));
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    not_valid("{\"name\":\n  Alice}", "expected a value, found 'A' at line 2 column 3 (byte 11)");
    not_valid("{\"a\":1} x", "something follows the value at line 1 column 9 (byte 8)");
    not_valid("[1,", "it ends in the middle of a value at line 1 column 4 (byte 3)");
    not_valid(" ", "it ends in the middle of a value at line 1 column 2 (byte 1)");
    not_valid("[1 2]", "expected ',' or ']', found '2' at line 1 column 4 (byte 3)");
    not_valid("[1}", "expected ',' or ']', found '}' at line 1 column 3 (byte 2)");
    not_valid("{'a':1}", "expected a key in quotes or '}', found ''' at line 1 column 2 (byte 1)");
    not_valid("{\"a\" 1}", "expected ':', found '1' at line 1 column 6 (byte 5)");
    not_valid("{\"a\":1,}", "expected a key in quotes, found '}' at line 1 column 8 (byte 7)");
    not_valid("[1,]", "expected a value, found ']' at line 1 column 4 (byte 3)");
    not_valid("\"é\" \0", "something follows the value at line 1 column 5 (byte 5)");
    not_valid("[\0]", "expected a value, found the byte 0x00 at line 1 column 2 (byte 1)");
    for number in ["01", "-", "1.", ".5", "+1", "1e", "1e+", "0x10", "--1", "1.e5"] {
        refused(number);
    }
    not_valid("[007]", "a number is not written as JSON has it at line 1 column 2 (byte 1)");
    for constant in ["NaN", "[Infinity]", "{\"a\":-Infinity}"] {
        assert!(refused(constant).contains("NaN and Infinity are not JSON"), "{constant}");
    }
    for word in ["tru", "trux", "nulll", "None", "undefined", "INF"] {
        refused(word);
    }
    not_valid(
        "\"a\nb\"",
        "a string has a control character that is not escaped (0x0a) at line 1 column 3 (byte 2)",
    );
    not_valid(
        "\"0123456789\u{1}\"",
        "a string has a control character that is not escaped (0x01) at line 1 column 12 (byte 11)",
    );
    for escape in ["\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\", "\"\\\"", "\"abc"] {
        refused(escape);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_by_their_place() {
    not_valid(b"{\"name\":\"Ren\xe9\"}", "the bytes are not UTF-8 (0xe9) at line 1 column 13 (byte 12)");
    not_valid(
        b"[\"\xc3\xa9\",\n\"caf\xe9, and more of it\"]",
        "the bytes are not UTF-8 (0xe9) at line 2 column 5 (byte 11)",
    );
    not_valid(b"\"\xed\xa0\x80\"", "the bytes are not UTF-8 (0xed) at line 1 column 2 (byte 1)");
    not_valid(b"\"\xf0\x9f\x98", "the bytes are not UTF-8 (0xf0) at line 1 column 2 (byte 1)");
    // The first fault is reported.
    not_valid(b"[x, \"\xe9\"]", "expected a value, found 'x' at line 1 column 2 (byte 1)");
}

#[test]
fn another_encoding_is_named() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    not_valid("\u{feff}{}", "it begins with a byte order mark of UTF-8 at line 1 column 1 (byte 0)");
    not_valid(
        utf_16("\u{feff}{}"),
        "it begins with a byte order mark of UTF-16 at line 1 column 1 (byte 0)",
    );
    not_valid(utf_16("{\"a\":1}"), "it is encoded in UTF-16 at line 1 column 1 (byte 0)");
    let mut big = utf_16("[1]");
    big.chunks_mut(2).for_each(<[u8]>::reverse);
    not_valid(big, "it is encoded in UTF-16 at line 1 column 1 (byte 0)");
    not_valid(b"[\0\0\0]\0\0\0", "it is encoded in UTF-32 at line 1 column 1 (byte 0)");
    not_valid(
        b"\xff\xfe\0\0[\0\0\0",
        "it begins with a byte order mark of UTF-32 at line 1 column 1 (byte 0)",
    );
}

#[test]
fn json_beyond_what_functions_can_read_is_refused_with_the_limit() {
    let limit = |bytes: String, rest: &str| {
        let expected = format!("the payload is JSON that not every function can read: {rest}");
        assert_eq!(refused(bytes), expected);
    };
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
    let deep = "it is nested deeper than 500 levels at line 1 column 501 (byte 500)";
    limit(nested(MAX_DEPTH + 1), deep);
    limit("[".repeat(500_000), deep);
    limit(
        "{\"a\":".repeat(501),
        "it is nested deeper than 500 levels at line 1 column 2501 (byte 2500)",
    );
    let many = format!("[{}", "[],".repeat(2000));
    assert!(refused(many).contains("it ends"), "levels that are closed again do not count");
    for huge in ["1e309", "-1E+999999999999", &format!("{}.0", "9".repeat(400))] {
        assert!(refused(huge).contains("a number is beyond what a 64-bit float holds"), "{huge}");
    }
    for number in ["1e308", "1e-999", "0e999", "0.0001e309"] {
        assert_eq!(check(number.as_bytes()), Ok(()), "{number}");
    }
    let digits = "an integer has 4301 digits, over the limit of 4300";
    limit(format!("[-{}]", "9".repeat(4301)), &format!("{digits} at line 1 column 3 (byte 2)"));
    for (text, unit) in
        [(r#""\ud800""#, "d800"), (r#""\udc00 x""#, "dc00"), (r#""\ud83d\u0041""#, "d83d")]
    {
        let rest =
            format!("the escape \\u{unit} is half of a surrogate pair at line 1 column 2 (byte 1)");
        limit(text.to_owned(), &rest);
    }
}

#[test]
fn a_fault_is_found_wherever_it_stands_in_a_long_string() {
    for at in 0..40 {
        let mut bytes = vec![b'x'; 42];
        (bytes[0], bytes[41]) = (b'"', b'"');
        bytes[at + 1] = 0x1f;
        assert_eq!(check(&bytes).unwrap_err().offset, at + 1);
        bytes[at + 1] = 0xff;
        assert_eq!(check(&bytes).unwrap_err().offset, at + 1);
        bytes[at + 1] = b'\\';
        assert!(check(&bytes).is_err());
    }
}
