//! Builds that this manager is making.

use std::sync::Mutex;

/// Tags that images of builds under way have or will have: no revision names them yet, and they stay.
#[derive(Default)]
pub struct BuildsUnderWay(Mutex<Vec<String>>);

impl BuildsUnderWay {
    /// All of them.
    pub fn tags(&self) -> Vec<String> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Counts this one until the answer is dropped.
    pub fn enter(&self, tag: String) -> impl Drop {
        self.0.lock().expect("no holder panics").push(tag.clone());
        Entered { under_way: self, tag }
    }
}

struct Entered<'a> {
    under_way: &'a BuildsUnderWay,
    tag: String,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut tags = self.under_way.0.lock().expect("no holder panics");
        if let Some(place) = tags.iter().position(|tag| *tag == self.tag) {
            tags.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_of_builds_under_way_are_known_until_the_last_ends() {
        let under_way = BuildsUnderWay::default();
        let [first, second] = [0, 1].map(|_| under_way.enter("cloudfunc/f:1".to_owned()));
        drop(first);
        assert_eq!(under_way.tags(), ["cloudfunc/f:1"]);
        drop(second);
        assert!(under_way.tags().is_empty());
    }
}
