//! "Did you mean …?"

/// Similar enough to be a slip of the fingers.
const NEAR: f64 = 0.75;
const AT_MOST: usize = 3;

/// The names of `known` that are near to `word`, nearest first, each in single quotes.
pub fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(f64, &str)> = known
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name).max(prefix(word, name)), name))
        .filter(|(score, _)| *score >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(AT_MOST).map(|(_, name)| format!("'{name}'")).collect()
}

/// A name that begins like the word, or the other way round, is near however long it is.
fn prefix(word: &str, name: &str) -> f64 {
    let begins = name.starts_with(word) || word.starts_with(name);
    if begins && word.len().min(name.len()) >= 3 { NEAR } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["hello_fn", "resize", "hello_world"];
        assert_eq!(suggest("helo_fn", known.into_iter()), ["'hello_fn'"]);
        assert_eq!(suggest("hello", known.into_iter()), ["'hello_fn'", "'hello_world'"]);
        assert!(suggest("billing", known.into_iter()).is_empty());
    }
}
