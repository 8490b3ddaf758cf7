//! Tests of certificates: files, times, pairs, and what a client accepts. `tests/it/tls/` has the files.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use rustls::{
    CertificateError as Refused, ClientConfig, ClientConnection, Error as TlsError, ServerConnection,
    pki_types::ServerName,
};
use tempfile::TempDir;

use super::*;

/// Copies files of the tests to a folder where only this user reads them; a checkout leaves that open.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let given: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/tls"].iter().collect();
    for file in fs::read_dir(given).unwrap() {
        let (from, name) = (file.as_ref().unwrap().path(), file.as_ref().unwrap().file_name());
        let to = folder.path().join(name);
        fs::write(&to, fs::read(from).unwrap()).unwrap();
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn refused(error: &PairError, folder: &TempDir) -> String {
    let source = StdError::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}").replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn a_certificate_says_for_how_long_it_is_valid() {
    let folder = folder();
    let chain = read_chain(&folder.path().join("expired.pem")).unwrap();
    let validity = Validity::of(&chain[0]).unwrap();
    assert_eq!(
        (validity.starts_at, validity.ends_at),
        (at("2020-01-01T00:00:00Z"), at("2020-02-01T00:00:00Z"))
    );
    for (now, days, trouble) in [
        ("2019-12-31T23:59:59Z", 31, Some("is not valid before 2020-01-01T00:00:00Z")),
        ("2020-01-18T00:00:00Z", 14, None),
        ("2020-01-18T00:00:01Z", 13, Some("ends in 13 days, at 2020-02-01T00:00:00Z")),
        ("2020-01-30T12:00:00Z", 1, Some("ends in 1 day, at 2020-02-01T00:00:00Z")),
        ("2020-01-31T12:00:00Z", 0, Some("ends in less than a day, at 2020-02-01T00:00:00Z")),
        ("2020-02-01T00:00:01Z", -1, Some("has expired at 2020-02-01T00:00:00Z")),
    ] {
        assert_eq!(validity.days_left(at(now)), days, "{now}");
        assert_eq!(validity.trouble(at(now)).as_deref(), trouble, "{now}");
    }
    assert_eq!(Validity::of(&CertificateDer::from(vec![0x30, 0])), None);
}

#[test]
fn certificates_are_written_as_they_are_read() {
    let folder = folder();
    let read = |name: &str| read_chain(&folder.path().join(name)).unwrap().remove(0);
    let both = [read("first.pem"), read("second.pem")];
    let file = folder.path().join("both.pem");
    fs::write(&file, to_pem(&both)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read_own(&file).unwrap(), both);
}

#[test]
fn a_pair_that_is_of_no_use_is_refused_with_its_file_and_what_to_do() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        fs::write(path(name), text).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("empty.pem", "");
    write("no.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    write(
        "locked.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    write("broken.pem", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    fs::write(path("open.pem"), fs::read(path("first_key.pem")).unwrap()).unwrap();
    fs::set_permissions(path("open.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let pair = |cert: &str, key: &str| {
        Pair::read(&path(cert), &path(key)).and_then(|pair| pair.server_config(&[b"h2"]))
    };
    let config = pair("first.pem", "first_key.pem").unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec()]);
    for (cert, key, said) in [
        (
            "none.pem",
            "first_key.pem",
            "cannot use the certificate file DIR/none.pem: No such file or directory (os error 2)",
        ),
        (
            "first.pem",
            "none.pem",
            "cannot use the key file DIR/none.pem: No such file or directory (os error 2)",
        ),
        (
            "empty.pem",
            "first_key.pem",
            "the certificate file DIR/empty.pem has no certificate in PEM form",
        ),
        (
            "first_key.pem",
            "first_key.pem",
            "the certificate file DIR/first_key.pem has no certificate in PEM form",
        ),
        (
            "no.pem",
            "first_key.pem",
            "the certificate file DIR/no.pem has something that is not a certificate where its first certificate should be",
        ),
        ("first.pem", "first.pem", "the key file DIR/first.pem has no private key in PEM form"),
        (
            "first.pem",
            "locked.pem",
            "the private key in DIR/locked.pem is encrypted with a passphrase, which nobody can enter here",
        ),
        ("first.pem", "open.pem", "the key file DIR/open.pem can be read by other users (mode 644)"),
        (
            "first.pem",
            "second_key.pem",
            "the private key in DIR/second_key.pem does not belong to the first certificate in DIR/first.pem",
        ),
    ] {
        assert_eq!(refused(&pair(cert, key).unwrap_err(), &folder), said);
    }
    let broken = refused(&pair("first.pem", "broken.pem").unwrap_err(), &folder);
    let expected =
        "the certificate in DIR/first.pem cannot be used with the private key in DIR/broken.pem: ";
    assert!(broken.starts_with(expected), "{broken}");

    let hint = |cert: &str, key: &str| {
        let hint = pair(cert, key).unwrap_err().hint();
        hint.replace(&folder.path().display().to_string(), "DIR")
    };
    assert_eq!(
        hint("first.pem", "open.pem"),
        "`chmod 600 DIR/open.pem`; if others may have read it, have another key and certificate made"
    );
    assert_eq!(
        hint("first.pem", "locked.pem"),
        "write it without one: `openssl pkey -in DIR/locked.pem -out FILE`, and close FILE to others"
    );
    assert_eq!(
        hint("first.pem", "second_key.pem"),
        "name the certificate that was made for this key; the server's own comes first in its file"
    );
    assert_eq!(
        hint("empty.pem", "first_key.pem"),
        "name a file with certificates, each between `-----BEGIN CERTIFICATE-----` and its end"
    );
    assert_eq!(
        hint("first.pem", "first.pem"),
        "name a file with a key between `-----BEGIN PRIVATE KEY-----` and its end"
    );
    assert_eq!(
        hint("first.pem", "broken.pem"),
        "have a certificate made for a key of ECDSA (P-256), Ed25519, or RSA of 2048 bits or more"
    );
}

/// Makes a handshake in memory.
fn handshake(client: ClientConfig, folder: &TempDir, server: &str, name: &str) -> Result<(), TlsError> {
    let path = |name: String| folder.path().join(name);
    let pair = Pair::read(&path(format!("{server}.pem")), &path(format!("{server}_key.pem"))).unwrap();
    let config = Arc::new(pair.server_config(&[b"http/1.1"]).unwrap());
    let mut server = ServerConnection::new(config).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn certificate_error(result: Result<(), TlsError>) -> Refused {
    match result {
        Err(TlsError::InvalidCertificate(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_platform_of_this_host_is_known_by_its_certificate_alone() {
    let folder = folder();
    let own = folder.path().join("own.pem");
    let shake = |server: &str, name: &str| handshake(trusting_own(own.clone()), &folder, server, name);
    assert_eq!(
        certificate_error(shake("first", "127.0.0.1")),
        Refused::ApplicationVerificationFailure,
        "the file is not there yet"
    );
    fs::copy(folder.path().join("first.pem"), &own).unwrap();
    for name in ["127.0.0.1", "::1", "localhost", "faas.example"] {
        shake("first", name).unwrap();
    }
    assert_eq!(certificate_error(shake("second", "127.0.0.1")), Refused::ApplicationVerificationFailure);
    fs::copy(folder.path().join("expired.pem"), &own).unwrap();
    shake("expired", "127.0.0.1").unwrap();
    // A file that others can read may also be one that others have made.
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        certificate_error(shake("expired", "127.0.0.1")),
        Refused::ApplicationVerificationFailure
    );
}

#[test]
fn authorities_that_are_named_are_accepted_and_so_are_certificates_themselves() {
    let folder = folder();
    let shake = |ca: &str, server: &str, name: &str| {
        let named = read_authorities(&folder.path().join(ca)).unwrap();
        let client = Trusted { named, own: None }.client_config().unwrap();
        handshake(client, &folder, server, name)
    };
    shake("authority.pem", "first", "127.0.0.1").unwrap();
    shake("authority.pem", "named", "faas.example").unwrap();
    assert_eq!(certificate_error(shake("self.pem", "first", "127.0.0.1")), Refused::UnknownIssuer);
    let by_itself = certificate_error(shake("authority.pem", "self", "127.0.0.1"));
    assert!(is_of_authority(&by_itself), "{by_itself:?}");
    let expired = certificate_error(shake("authority.pem", "expired", "127.0.0.1"));
    assert!(matches!(expired, Refused::ExpiredContext { .. }), "{expired:?}");
    let name = certificate_error(shake("authority.pem", "named", "127.0.0.1"));
    assert!(matches!(name, Refused::NotValidForNameContext { .. }), "{name:?}");

    shake("self.pem", "self", "127.0.0.1")
        .expect("it says that it is an authority, and was named itself");
    let name = certificate_error(shake("self.pem", "self", "127.0.0.2"));
    assert!(matches!(name, Refused::NotValidForNameContext { .. }), "{name:?}");
    let expired = certificate_error(shake("expired.pem", "expired", "127.0.0.1"));
    let Refused::ExpiredContext { not_after, .. } = expired else { panic!("{expired:?}") };
    assert_eq!(Duration::from_secs(not_after.as_secs()), Duration::from_secs(1_580_515_200));
}

#[test]
fn both_are_accepted_where_both_are_given() {
    let folder = folder();
    let own = folder.path().join("own.pem");
    fs::copy(folder.path().join("self.pem"), &own).unwrap();
    let shake = |server: &str, name: &str| {
        let named = read_authorities(&folder.path().join("authority.pem")).unwrap();
        let client = Trusted { named, own: Some(own.clone()) }.client_config().unwrap();
        handshake(client, &folder, server, name)
    };
    shake("self", "faas.example").unwrap();
    shake("first", "127.0.0.1").unwrap();
    let name = certificate_error(shake("first", "faas.example"));
    assert!(matches!(name, Refused::NotValidForNameContext { .. }), "{name:?}");
}

#[test]
fn the_tls_error_behind_others_is_found() {
    let error = io::Error::other(TlsError::HandshakeNotComplete);
    let error = io::Error::other(error);
    assert_eq!(tls_error(&error), Some(&TlsError::HandshakeNotComplete));
    assert_eq!(tls_error(&io::Error::from(io::ErrorKind::NotFound)), None);
}
