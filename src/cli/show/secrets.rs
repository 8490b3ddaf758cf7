//! Where the secrets of a function are set, as far as the caller may see that.

use std::collections::BTreeSet;

use crate::{
    cli::target::permitted,
    client::{self, Client},
    model::{FunctionName, FunctionSpec, SecretName, SecretPlace},
};

/// The names of the secrets that a function can get. `None` where the caller may not list them.
#[derive(Default)]
pub struct Places {
    own: Option<BTreeSet<SecretName>>,
    of_all: Option<BTreeSet<SecretName>>,
}

impl Places {
    /// Asks for them, if the function gets secrets at all.
    pub async fn of(
        client: &Client,
        name: &FunctionName,
        spec: &FunctionSpec,
    ) -> Result<Self, client::Error> {
        if spec.secrets.is_empty() {
            return Ok(Self::default());
        }
        let listed = async |function: Option<&FunctionName>| {
            let page = permitted(client.secrets(function).await)?;
            Ok::<_, client::Error>(page.map(|page| page.items.into_iter().map(|one| one.place)))
        };
        // A token for some functions sees those of its functions only.
        if let Some(places) = listed(None).await? {
            return Ok(Self::among(places, name));
        }
        let own = listed(Some(name)).await?;
        Ok(Self { own: own.map(|places| places.map(|place| place.name).collect()), of_all: None })
    }

    fn among(all: impl Iterator<Item = SecretPlace>, name: &FunctionName) -> Self {
        let (mut own, mut of_all) = (BTreeSet::new(), BTreeSet::new());
        for place in all {
            match place.function {
                None => of_all.insert(place.name),
                Some(function) if function == *name => own.insert(place.name),
                Some(_) => false,
            };
        }
        Self { own: Some(own), of_all: Some(of_all) }
    }

    /// Formats the names of the secrets that a function gets, each with its place where that is known.
    pub fn told(&self, secrets: &[SecretName], function: &FunctionName) -> String {
        let told = |secret: &SecretName| match self.place(secret, function) {
            Some(place) => format!("{secret} ({place})"),
            None => secret.to_string(),
        };
        secrets.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn place(&self, secret: &SecretName, function: &FunctionName) -> Option<String> {
        let Self { own, of_all } = self;
        if own.as_ref()?.contains(secret) {
            return Some(format!("set for {function}"));
        }
        let is_set = of_all.as_ref()?.contains(secret);
        Some(if is_set { "set for all functions" } else { "not set" }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_told_with_the_place_where_it_is_set() {
        let name: FunctionName = "shop".parse().unwrap();
        let place = |function: Option<&str>, name: &str| SecretPlace {
            function: function.map(|function| function.parse().unwrap()),
            name: name.parse().unwrap(),
        };
        let all =
            [place(None, "A"), place(None, "B"), place(Some("shop"), "B"), place(Some("cart"), "C")];
        let places = Places::among(all.into_iter(), &name);
        let secrets = ["A", "B", "C"].map(|name| name.parse().unwrap());
        assert_eq!(
            places.told(&secrets, &name),
            "A (set for all functions), B (set for shop), C (not set)"
        );
        let limited = Places { of_all: None, ..places };
        assert_eq!(limited.told(&secrets, &name), "A, B (set for shop), C");
        assert_eq!(Places::default().told(&secrets, &name), "A, B, C");
    }
}
