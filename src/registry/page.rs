//! Pages of lists.

use crate::model::api::Page;

/// The number of items to read for a page of at most `limit`: one more tells whether there is a next page.
pub fn with_next(limit: u32) -> u32 {
    limit + 1
}

/// Makes a page of at most `limit` items of what was read. `cursor` names an item; the next page begins after it.
pub fn page<T, U>(
    mut read: Vec<T>,
    limit: u32,
    cursor: impl Fn(&T) -> String,
    shown: impl FnMut(T) -> U,
) -> Page<U> {
    let limit = limit as usize;
    let has_next = read.len() > limit;
    read.truncate(limit);
    let next = read.last().filter(|_| has_next).map(cursor);
    Page { items: read.into_iter().map(shown).collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next_one_also_when_it_is_full() {
        for (there, items, next) in [
            (0, vec![], None),
            (2, vec![0, 1], None),
            (3, vec![0, 1, 2], None),
            (4, vec![0, 1, 2], Some("2")),
        ] {
            let read = (0..there).take(with_next(3) as usize).collect();
            let page = page(read, 3, i32::to_string, |item| item);
            assert_eq!(page, Page { items, next: next.map(str::to_owned) }, "{there}");
        }
    }
}
