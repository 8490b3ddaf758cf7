//! Batches out of what waits.

/// How many of the first items, of these sizes in bytes, go into one batch: at most `most`, of at most `most_bytes`
/// together; but one in any case, if there is one.
pub fn fitting(sizes: impl IntoIterator<Item = usize>, most: usize, most_bytes: usize) -> usize {
    let (mut count, mut bytes) = (0, 0_usize);
    for size in sizes.into_iter().take(most) {
        bytes = bytes.saturating_add(size);
        if count > 0 && bytes > most_bytes {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_a_bound_in_items_and_bytes_and_is_never_empty() {
        assert_eq!(fitting([], 3, 10), 0);
        assert_eq!(fitting([1; 9], 3, 10), 3);
        assert_eq!(fitting([4, 6, 1], 3, 10), 2);
        assert_eq!(fitting([11, 1], 3, 10), 1);
    }
}
