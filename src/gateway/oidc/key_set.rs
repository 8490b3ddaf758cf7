//! The public keys of a provider (a JWKS), as far as they can verify signatures.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::crypto::without_zeros;

/// The keys that are of use here.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What the key is for, by its type and its `alg`: what a token says of itself decides nothing.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The key that a token names.
#[derive(Debug)]
pub enum Found<'k> {
    /// It is known.
    Key(&'k DecodingKey),
    /// None has this name.
    Unknown,
    /// The keys that it could be are for other algorithms.
    OtherAlgorithm,
    /// The token names none, and several fit.
    Several,
}

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];
const ED25519: &[Algorithm] = &[Algorithm::EdDSA];

impl KeySet {
    /// The most keys of a provider, with those that are of no use here.
    pub const MOST: usize = 100;

    /// Reads a JWKS. Keys that cannot verify signatures, or are for something else, are left out. The error says what is
    /// wrong with the document.
    pub fn read(document: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let Document { keys } = serde_json::from_slice(document)
            .map_err(|error| format!("is not a set of keys (JWKS): {error}"))?;
        if keys.len() > Self::MOST {
            return Err(format!("has {} keys, and at most {} are read", keys.len(), Self::MOST));
        }
        let keys: Vec<Key> = keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err("has no key that verifies signatures".to_owned());
        }
        Ok(Self { keys })
    }

    /// Returns the number of keys.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Finds the key of a token that is signed in this way.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let is_named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut named = self.keys.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            return Found::Unknown;
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&algorithm));
        match (fitting.next(), fitting.next()) {
            (None, _) => Found::OtherAlgorithm,
            (Some(_), Some(_)) if id.is_none() => Found::Several,
            (Some(key), _) => Found::Key(&key.key),
        }
    }
}

impl Key {
    /// Returns the key if it can verify signatures, and is meant to.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let is_for = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let verifies = |all: &Vec<KeyOperations>| all.contains(&KeyOperations::Verify);
        if !is_for || !jwk.common.key_operations.as_ref().is_none_or(verifies) {
            return None;
        }
        let (possible, length) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (RSA, 0),
            AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => (P256, 65),
            AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P384 => (P384, 97),
            AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => (ED25519, 32),
            _ => return None,
        };
        let named = jwk.common.key_algorithm;
        let is_named = |one: &&Algorithm| named.is_none_or(|named| named == KeyAlgorithm::from(**one));
        let algorithms: Vec<Algorithm> = possible.iter().filter(is_named).copied().collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let has_length = match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => bytes.len() == length,
            // From 2048 to 8192 bits, as the signatures' verification asks for.
            DecodingKeyKind::RsaModulusExponent { n, .. } => {
                (256..=1024).contains(&without_zeros(n).len())
            }
        };
        (has_length && !algorithms.is_empty()).then_some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::signer::Signer, *};

    fn read(keys: Vec<Value>) -> Result<KeySet, String> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_is_found_by_its_name_for_its_own_algorithms_only() {
        let (rsa, curve) = (Signer::rsa("r"), Signer::p256("c"));
        let set = read(vec![rsa.jwk(), curve.jwk()]).unwrap();
        assert_eq!(set.count(), 2);
        assert!(matches!(set.find(Some("r"), Algorithm::RS512), Found::Key(_)));
        assert!(matches!(set.find(Some("c"), Algorithm::ES256), Found::Key(_)));
        for other in [Algorithm::RS256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::HS256] {
            assert!(matches!(set.find(Some("c"), other), Found::OtherAlgorithm), "{other:?}");
        }
        assert!(matches!(set.find(Some("x"), Algorithm::RS256), Found::Unknown));
        // A token that names none has the only one that fits.
        assert!(matches!(set.find(None, Algorithm::ES256), Found::Key(_)));
        let set = read(vec![curve.jwk(), Signer::p256("d").jwk()]).unwrap();
        assert!(matches!(set.find(None, Algorithm::ES256), Found::Several));
    }

    #[test]
    fn the_algorithm_that_a_key_names_is_its_only_one() {
        let mut jwk = Signer::rsa("r").jwk();
        jwk["alg"] = json!("PS256");
        let set = read(vec![jwk]).unwrap();
        assert!(matches!(set.find(Some("r"), Algorithm::PS256), Found::Key(_)));
        assert!(matches!(set.find(Some("r"), Algorithm::RS256), Found::OtherAlgorithm));
    }

    #[test]
    fn keys_that_are_for_something_else_are_left_out() {
        let with = |name: &str, value: Value| {
            let mut jwk = Signer::p256("c").jwk();
            jwk[name] = value;
            jwk
        };
        let small = json!({ "kty": "RSA", "n": "AQAB".repeat(32), "e": "AQAB", "kid": "small" });
        for odd in [
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("ES384")),
            with("alg", json!("HS256")),
            with("crv", json!("P-521")),
            with("x", json!("AQAB")),
            with("kty", json!("new")),
            json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "c" }),
            json!("no key"),
            small,
        ] {
            let refused = read(vec![odd.clone()]).unwrap_err();
            assert_eq!(refused, "has no key that verifies signatures", "{odd}");
            let set = read(vec![odd, Signer::ed25519("e").jwk()]).unwrap();
            assert_eq!(set.count(), 1);
        }
        let set = read(vec![with("use", json!("sig")), with("key_ops", json!(["verify"]))]).unwrap();
        assert_eq!(set.count(), 2);
    }

    #[test]
    fn a_document_is_bounded_and_has_keys() {
        let many = vec![json!({}); KeySet::MOST + 1];
        assert_eq!(read(many).unwrap_err(), "has 101 keys, and at most 100 are read");
        let refused = KeySet::read(b"<html>").unwrap_err();
        assert!(refused.starts_with("is not a set of keys (JWKS): expected value"), "{refused}");
    }
}
