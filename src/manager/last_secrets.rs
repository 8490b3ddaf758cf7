//! The secrets that were read last, encrypted as the store has them: for instances that start while the store does not answer.

use std::collections::HashMap;

use crate::model::{FunctionId, SealedSecret, SecretName};

/// The most bytes of encrypted values that are remembered, of all functions together.
const MOST: usize = 16 * 1024 * 1024;

/// The secrets of functions, of all their revisions. Beyond [`MOST`], functions are forgotten whose secrets were read longest
/// ago.
#[derive(Default)]
pub struct LastSecrets {
    functions: HashMap<FunctionId, Last>,
    /// The number of readings.
    readings: u64,
}

#[derive(Default)]
struct Last {
    secrets: HashMap<SecretName, SealedSecret>,
    /// The number of the last reading.
    reading: u64,
}

impl Last {
    fn bytes(&self) -> usize {
        self.secrets.values().map(|secret| secret.sealed.len()).sum()
    }
}

impl LastSecrets {
    /// Notes what was read for these names: all that was found.
    pub fn were_read(&mut self, function: FunctionId, names: &[SecretName], found: &[SealedSecret]) {
        self.readings += 1;
        let last = self.functions.entry(function).or_default();
        last.reading = self.readings;
        for name in names {
            match found.iter().find(|secret| secret.place.name == *name) {
                Some(secret) => drop(last.secrets.insert(name.clone(), secret.clone())),
                None => drop(last.secrets.remove(name)),
            }
        }
        let mut bytes: usize = self.functions.values().map(Last::bytes).sum();
        while bytes > MOST
            && let Some(oldest) =
                self.functions.iter().min_by_key(|(_, last)| last.reading).map(|(id, _)| *id)
        {
            bytes -= self.functions.remove(&oldest).map_or(0, |last| last.bytes());
        }
    }

    /// Returns what was read last for these names; none if that is not all of them.
    pub fn get(&self, function: FunctionId, names: &[SecretName]) -> Option<Vec<SealedSecret>> {
        let last = self.functions.get(&function)?;
        names.iter().map(|name| last.secrets.get(name).cloned()).collect()
    }

    /// Forgets a function's secrets but those of these names.
    pub fn keep(&mut self, function: FunctionId, names: &[SecretName]) {
        if let Some(last) = self.functions.get_mut(&function) {
            last.secrets.retain(|name, _| names.contains(name));
            if last.secrets.is_empty() {
                self.functions.remove(&function);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyId, SecretPlace, SecretVersion};

    fn name(name: &str) -> SecretName {
        name.parse().unwrap()
    }

    fn secret(text: &str, bytes: usize) -> SealedSecret {
        SealedSecret {
            place: SecretPlace { function: None, name: name(text) },
            version: SecretVersion::new(),
            key: KeyId("key".to_owned()),
            sealed: vec![0; bytes],
            set_by: "test".to_owned(),
        }
    }

    #[test]
    fn what_is_asked_for_is_there_as_a_whole_or_not_at_all() {
        let (mut last, function) = (LastSecrets::default(), FunctionId::new());
        let (a, b) = (secret("A", 1), secret("B", 1));
        last.were_read(function, &[name("A")], std::slice::from_ref(&a));
        assert_eq!(last.get(function, &[name("A"), name("B")]), None);
        last.were_read(function, &[name("B")], std::slice::from_ref(&b));
        assert_eq!(last.get(function, &[name("A"), name("B")]), Some(vec![a, b.clone()]));
        last.were_read(function, &[name("A")], &[]);
        assert_eq!(last.get(function, &[name("A")]), None, "it was deleted");
        assert_eq!(last.get(function, &[name("B")]), Some(vec![b]));
        assert_eq!(last.get(FunctionId::new(), &[name("B")]), None);
    }

    #[test]
    fn names_that_nobody_asks_for_are_forgotten() {
        let (mut last, function) = (LastSecrets::default(), FunctionId::new());
        let both = [name("A"), name("B")];
        last.were_read(function, &both, &[secret("A", 1), secret("B", 1)]);
        last.keep(function, &[name("B")]);
        assert_eq!(last.get(function, &both[..1]), None);
        assert!(last.get(function, &both[1..]).is_some());
        last.keep(function, &[]);
        assert!(last.functions.is_empty());
    }

    #[test]
    fn beyond_their_bound_the_ones_that_were_read_longest_ago_go() {
        let mut last = LastSecrets::default();
        let names = [name("A")];
        let [first, second, third] = [(); 3].map(|()| FunctionId::new());
        for function in [first, second, first, third] {
            last.were_read(function, &names, &[secret("A", MOST / 2)]);
        }
        assert!(last.get(second, &names).is_none());
        assert!(last.get(first, &names).is_some() && last.get(third, &names).is_some());
    }
}
