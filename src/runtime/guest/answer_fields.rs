//! The fields of an answer to an event, read in one pass: what cannot be a part of a response takes no memory, however much
//! there is of it. Pure.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::model::limits::MAX_HEADER_LINES;

/// The fields of an answer that is an object, as they are written in it. None where a field is absent; other fields are
/// passed over.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) status: Option<&'a RawValue>,
    pub(super) headers: Option<&'a RawValue>,
    pub(super) cookies: Option<&'a RawValue>,
    pub(super) body: Option<&'a RawValue>,
    pub(super) is_base64: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    StatusCode,
    Headers,
    Cookies,
    Body,
    IsBase64Encoded,
    #[serde(other)]
    Other,
}

// Written by hand: a derived one takes a list for the fields in their order, and no field twice.
impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAnObject;

        impl<'de> Visitor<'de> for OfAnObject {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(name) = map.next_key()? {
                    let field = match name {
                        Name::StatusCode => &mut fields.status,
                        Name::Headers => &mut fields.headers,
                        Name::Cookies => &mut fields.cookies,
                        Name::Body => &mut fields.body,
                        Name::IsBase64Encoded => &mut fields.is_base64,
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = Some(map.next_value()?);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(OfAnObject)
    }
}

/// The headers of an answer.
pub(super) struct Headers<'a> {
    /// The first of them, at most [`MAX_HEADER_LINES`].
    pub(super) first: BTreeMap<String, &'a RawValue>,
    /// The number of all of them.
    pub(super) count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAnObject;

        impl<'de> Visitor<'de> for OfAnObject {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut first = BTreeMap::new();
                let mut count = 0;
                while count < MAX_HEADER_LINES
                    && let Some((name, value)) = map.next_entry()?
                {
                    first.insert(name, value);
                    count += 1;
                }
                while count >= MAX_HEADER_LINES && map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some()
                {
                    count += 1;
                }
                Ok(Headers { first, count })
            }
        }

        deserializer.deserialize_map(OfAnObject)
    }
}

/// The cookies of an answer.
pub(super) struct Cookies {
    /// The first of them, at most [`MAX_HEADER_LINES`].
    pub(super) first: Vec<String>,
    /// The number of all of them.
    pub(super) count: usize,
}

impl<'de> Deserialize<'de> for Cookies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAList;

        impl<'de> Visitor<'de> for OfAList {
            type Value = Cookies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = Vec::new();
                while first.len() < MAX_HEADER_LINES
                    && let Some(cookie) = list.next_element()?
                {
                    first.push(cookie);
                }
                let mut count = first.len();
                while count >= MAX_HEADER_LINES && list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Cookies { first, count })
            }
        }

        deserializer.deserialize_seq(OfAList)
    }
}

/// Returns a value that is neither a list nor an object; none of those, which are not read.
pub(super) fn scalar(raw: &RawValue) -> Option<Value> {
    let text = raw.get();
    if text.starts_with(['[', '{']) { None } else { serde_json::from_str(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts_of_a_field_that_is_there_twice_and_others_are_passed_over() {
        let text =
            r#" {"body": 1, "x": [{}], "statusCode": null, "b\u006fdy" : "a" , "y": "statusCode"} "#;
        let fields: Fields = serde_json::from_str(text).unwrap();
        assert_eq!(fields.body.map(RawValue::get), Some("\"a\""));
        assert_eq!(fields.status.map(RawValue::get), Some("null"));
        assert!(fields.headers.is_none() && fields.cookies.is_none() && fields.is_base64.is_none());
        for text in ["[200, {}]", "1", "null", "{\"body\": }", "{} x"] {
            assert!(serde_json::from_str::<Fields>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_and_cookies_are_kept_up_to_the_limit_of_lines_and_counted_beyond() {
        for count in [0, 1, MAX_HEADER_LINES, MAX_HEADER_LINES + 1, 100_000] {
            let kept = count.min(MAX_HEADER_LINES);
            let headers: Vec<String> = (0..count).map(|n| format!("\"x-{n}\":[{n}]")).collect();
            let text = format!("{{{}}}", headers.join(","));
            let headers: Headers = serde_json::from_str(&text).unwrap();
            assert_eq!((headers.first.len(), headers.count), (kept, count));
            let text = format!("[{}]", vec!["\"\""; count].join(","));
            let cookies: Cookies = serde_json::from_str(&text).unwrap();
            assert_eq!((cookies.first.len(), cookies.count), (kept, count));
        }
        assert!(serde_json::from_str::<Headers>("[]").is_err());
        for text in ["{}", "[1]", "[\"a\",null]", "\"a\""] {
            assert!(serde_json::from_str::<Cookies>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_or_an_object_is_not_read_for_a_single_value() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(scalar(&raw("[[]]")), None);
        assert_eq!(scalar(&raw("{\"a\":1}")), None);
        assert_eq!(scalar(&raw("5.5")), Some(Value::from(5.5)));
        assert_eq!(scalar(&raw("null")), Some(Value::Null));
    }
}
