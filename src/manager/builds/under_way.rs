//! Builds that this manager is making.

use std::{collections::HashMap, sync::Mutex};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, WeakShared},
};

use super::super::start_failure::StartFailure;

/// Builds of deploys, and images that starts wait for.
#[derive(Default)]
pub struct BuildsUnderWay {
    /// Tags that images of builds under way have or will have: no revision names them yet, and they stay.
    tags: Mutex<Vec<String>>,
    /// The images by their tags. A build goes on while somebody waits for it.
    images: Mutex<HashMap<String, WeakShared<Making>>>,
}

/// The making of an image for a start.
pub type Making = BoxFuture<'static, Result<(), StartFailure>>;

impl BuildsUnderWay {
    /// Returns the tags of all of them.
    pub fn tags(&self) -> Vec<String> {
        self.tags.lock().expect("no holder panics").clone()
    }

    /// Adds this one until the answer is dropped.
    pub fn enter(&self, tag: String) -> impl Drop {
        self.tags.lock().expect("no holder panics").push(tag.clone());
        Entered { under_way: self, tag }
    }

    /// Makes the image of this tag for a start. Of many that need it, one makes it, and all get what came of that.
    pub async fn image(&self, tag: &str, making: Making) -> Result<(), StartFailure> {
        let made = {
            let mut images = self.images.lock().expect("no holder panics");
            let under_way = images.get(tag).and_then(WeakShared::upgrade);
            under_way.unwrap_or_else(|| {
                let made = making.shared();
                images.extend(made.downgrade().map(|weak| (tag.to_owned(), weak)));
                made
            })
        };
        let made = made.await;
        let mut images = self.images.lock().expect("no holder panics");
        images.retain(|_, making| making.upgrade().is_some());
        made
    }
}

struct Entered<'a> {
    under_way: &'a BuildsUnderWay,
    tag: String,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut tags = self.under_way.tags.lock().expect("no holder panics");
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

    #[tokio::test]
    async fn of_many_starts_that_need_an_image_one_makes_it_and_all_hear_of_its_failure() {
        let under_way = BuildsUnderWay::default();
        let (fail, failed) = tokio::sync::oneshot::channel();
        let first = async move {
            let reason: String = failed.await.unwrap();
            Err(StartFailure::Image(reason))
        };
        let never = async { Err(StartFailure::Image("it is made twice".to_owned())) };
        let telling = async { fail.send("no compiler".to_owned()).unwrap() };
        let (first, second, ()) = tokio::join!(
            under_way.image("cloudfunc/f:1", first.boxed()),
            under_way.image("cloudfunc/f:1", never.boxed()),
            telling,
        );
        for ended in [first, second] {
            assert_eq!(ended.unwrap_err().reason(), "no compiler");
        }
        // The next start tries again.
        under_way.image("cloudfunc/f:1", async { Ok(()) }.boxed()).await.unwrap();
        assert!(under_way.images.lock().unwrap().is_empty());
    }
}
