//! The header of a JWT, before anything of it is believed, and its claims, once its signature is verified.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors::ErrorKind};
use serde_json::{Map, Value};

use super::{
    crypto,
    refusal::{Refusal, shown},
};

/// The most bytes of a token.
pub const MAX_TOKEN: usize = 16 * 1024;

/// The types of JWTs that give access, in lower case. Those of a provider that mean something else, such as the end of a
/// session, are signed with the same keys.
const TYPES: [&str; 4] = ["jwt", "application/jwt", "at+jwt", "application/at+jwt"];

/// Returns the issuer that a token names, before anything of it is believed.
pub fn claimed_issuer(token: &str) -> Option<String> {
    let claims = token.split('.').nth(1).filter(|_| token.len() <= MAX_TOKEN)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// What a token says of its signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The way in which it says that it is signed. Its key decides which ones are accepted.
    pub algorithm: Algorithm,
    /// The name of the key; none if it names none.
    pub key: Option<String>,
}

impl Head {
    /// Reads the header of a token.
    pub fn read(token: &str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(head), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::NoJwt("it has not three parts"));
        };
        let head = BASE64_URL_SAFE_NO_PAD.decode(head).ok();
        let head: Option<Map<String, Value>> = head.and_then(|head| serde_json::from_slice(&head).ok());
        let head = head.ok_or(Refusal::NoJwt("its header is not JSON in base64"))?;
        if head.contains_key("crit") {
            return Err(Refusal::Extension);
        }
        Self::is_of_access(&head)?;
        let key = match head.get("kid") {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(Refusal::NoJwt("its header's `kid` is not a text")),
        };
        Ok(Self { algorithm: Self::algorithm(&head)?, key })
    }

    fn is_of_access(head: &Map<String, Value>) -> Result<(), Refusal> {
        match head.get("typ") {
            None => Ok(()),
            Some(Value::String(kind)) if TYPES.contains(&kind.to_ascii_lowercase().as_str()) => Ok(()),
            Some(Value::String(kind)) => Err(Refusal::Kind(shown(kind))),
            Some(_) => Err(Refusal::NoJwt("its header's `typ` is not a text")),
        }
    }

    fn algorithm(head: &Map<String, Value>) -> Result<Algorithm, Refusal> {
        let Some(Value::String(name)) = head.get("alg") else {
            return Err(Refusal::NoJwt("its header has no `alg`"));
        };
        let known = name.parse::<Algorithm>().ok().filter(|algorithm| crypto::is_accepted(*algorithm));
        known.ok_or_else(|| Refusal::Algorithm(shown(name)))
    }
}

/// Verifies the signature of a token with its key, and returns its claims. Nothing else is checked: the crate's own checks
/// ask the system's clock, and accept a list of issuers.
pub fn signed_claims(
    token: &str,
    head: &Head,
    key: &DecodingKey,
) -> Result<Map<String, Value>, Refusal> {
    let mut signature_only = Validation::new(head.algorithm);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    match decode(token, key, &signature_only) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::Json(_) => {
                Refusal::NoJwt("its header or its claims have a form that JWTs do not have")
            }
            ErrorKind::InvalidToken => Refusal::NoJwt("its header asks for what is not supported"),
            _ => Refusal::Signature,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{
            key_set::{Found, KeySet},
            signer::Signer,
        },
        *,
    };

    fn head(header: &Value) -> Result<Head, Refusal> {
        let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        Head::read(&format!("{header}.e30.c2ln"))
    }

    #[test]
    fn a_header_names_an_algorithm_with_a_public_key_and_maybe_a_key() {
        let read = head(&json!({ "alg": "RS256", "kid": "k", "typ": "JWT", "x5t": "abc" })).unwrap();
        assert_eq!(read, Head { algorithm: Algorithm::RS256, key: Some("k".to_owned()) });
        let read = head(&json!({ "alg": "EdDSA", "typ": "at+jwt" })).unwrap();
        assert_eq!(read, Head { algorithm: Algorithm::EdDSA, key: None });
        for name in ["none", "None", "HS256", "HS384", "HS512", "ES512", "", "rs256"] {
            let expected = Refusal::Algorithm(name.to_owned());
            assert_eq!(head(&json!({ "alg": name, "kid": "k" })), Err(expected));
        }
    }

    #[test]
    fn a_header_that_is_odd_is_refused() {
        assert_eq!(head(&json!({ "alg": "RS256", "crit": ["exp"], "exp": 1 })), Err(Refusal::Extension));
        assert_eq!(head(&json!({ "alg": "RS256", "crit": null })), Err(Refusal::Extension));
        let kind = Err(Refusal::Kind("logout+jwt".to_owned()));
        assert_eq!(head(&json!({ "alg": "RS256", "typ": "logout+jwt" })), kind);
        for odd in [
            json!({ "kid": "k" }),
            json!({ "alg": 1 }),
            json!({ "alg": "RS256", "kid": 1 }),
            json!({ "alg": "RS256", "typ": 1 }),
            json!(["RS256"]),
        ] {
            assert!(matches!(head(&odd), Err(Refusal::NoJwt(_))), "{odd}");
        }
        for text in ["", "a.b", "a.b.c.d", "..", "e30.e30", "!.e30.e30", "e30=.e30.e30"] {
            assert!(matches!(Head::read(text), Err(Refusal::NoJwt(_))), "{text}");
        }
        let long = format!("e30.{}.e30", "a".repeat(MAX_TOKEN));
        assert_eq!(Head::read(&long), Err(Refusal::TooLong));
    }

    #[test]
    fn every_algorithm_is_verified_and_no_signature_is_another_ones() {
        crypto::install();
        let signers =
            [Signer::rsa("rsa"), Signer::p256("p256"), Signer::p384("p384"), Signer::ed25519("ed")];
        let keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
        let set = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let claims = json!({ "sub": "ann", "iss": ["a", "b"] });
        let verify = |token: &str| {
            let head = Head::read(token)?;
            match set.find(head.key.as_deref(), head.algorithm) {
                Found::Key(key) => signed_claims(token, &head, key),
                other => panic!("{other:?}"),
            }
        };
        let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        let algorithms = rsa.map(|name| (0, name)).into_iter();
        for (signer, name) in algorithms.chain([(1, "ES256"), (2, "ES384"), (3, "EdDSA")]) {
            let header = json!({ "alg": name, "kid": signers[signer].id() });
            let token = signers[signer].token_with(&header, &claims);
            assert_eq!(Value::Object(verify(&token).unwrap()), claims, "{name}");

            let (signed, signature) = token.rsplit_once('.').unwrap();
            let other = signers[signer].token_with(&header, &json!({ "sub": "bob" }));
            let (_, others) = other.rsplit_once('.').unwrap();
            for wrong in [others, "", &signature[4..], "AAAA"] {
                assert_eq!(verify(&format!("{signed}.{wrong}")), Err(Refusal::Signature), "{name}");
            }
        }
        // The algorithm is a part of what is signed: a header with another one does not fit.
        let token = signers[0].token_with(&json!({ "alg": "RS256", "kid": "rsa" }), &claims);
        let (_, rest) = token.split_once('.').unwrap();
        let header = json!({ "alg": "PS256", "kid": "rsa" }).to_string();
        let swapped = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header));
        assert_eq!(verify(&swapped), Err(Refusal::Signature));
        // A key that the token brings itself is not looked at.
        let mine = Signer::p256("p256");
        let header = json!({ "alg": "ES256", "kid": "p256", "jwk": mine.jwk(), "jku": "http://x/" });
        assert_eq!(verify(&mine.token_with(&header, &claims)), Err(Refusal::Signature));
    }

    #[test]
    fn claims_are_an_object() {
        crypto::install();
        let signer = Signer::p256("c");
        let set = KeySet::read(json!({ "keys": [signer.jwk()] }).to_string().as_bytes()).unwrap();
        for odd in [json!([1]), json!("text"), json!(null)] {
            let token = signer.token(&odd);
            let head = Head::read(&token).unwrap();
            let Found::Key(key) = set.find(Some("c"), head.algorithm) else { panic!("not found") };
            assert!(matches!(signed_claims(&token, &head, key), Err(Refusal::NoJwt(_))), "{odd}");
        }
    }
}
