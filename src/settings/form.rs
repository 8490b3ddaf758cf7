//! The written forms of the values of settings.

use std::{fmt::Display, net::SocketAddr, str::FromStr};

use crate::{
    model::TrustedProxies,
    toml_document::{Field, LocatedError},
};

/// The written form of the values of a type.
pub(super) struct Form<T> {
    /// A value may hold a password.
    pub is_secret: bool,
    pub read: fn(&str) -> Result<T, String>,
    pub read_field: fn(&Field<'_>) -> Result<T, LocatedError>,
    pub show: fn(&T) -> String,
}

/// The placeholder of settings that are on or off. Such a flag may be given without a value.
pub(super) const SWITCH: &str = "true|false";

pub(super) const LISTEN: Form<SocketAddr> = Form {
    is_secret: false,
    read: listen,
    read_field: |field| field.parsed("\"0.0.0.0:8443\"", listen),
    show: SocketAddr::to_string,
};
pub(super) const PROXIES: Form<TrustedProxies> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"10.0.0.7,192.0.2.0/24\"", word::<TrustedProxies>),
    show: TrustedProxies::to_string,
};
pub(super) const ON_OR_OFF: Form<bool> = Form {
    is_secret: false,
    read: |text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    },
    read_field: |field| field.boolean(),
    show: bool::to_string,
};

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "not an IP address with a port; write one such as 0.0.0.0:8443 or [::]:8443".to_owned()
    })
}

/// Reads a value as its type does.
pub(super) fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|problem: T::Err| problem.to_string())
}
