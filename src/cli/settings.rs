//! The flags of a platform, shared by `up`, `status`, `down` and the roles; generated from the table of
//! settings.

use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::{Error, Exit};
use crate::{
    place::Dirs,
    settings::{Group, Setting, Settings, SettingsError, settings},
};

/// The first value that was refused and why, without the value.
type Refused = Option<String>;

/// Defines the flags of some groups of settings, with their environment variables.
macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $name:ident: $groups:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default)]
        pub struct $name(pub Settings, Refused);

        impl clap::Args for $name {
            fn augment_args(command: Command) -> Command {
                augment(command, &$groups)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, &$groups)
            }
        }

        impl $name {
            /// Returns what these flags say, or an error for the first value that was refused.
            pub fn settings(self) -> Result<Settings, Error> {
                match self.1 {
                    Some(problem) => Err(Error::usage(problem)),
                    None => Ok(self.0),
                }
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                let (settings, refused) = read(matches, &$groups);
                Ok(Self(settings, refused))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    )+};
}

flags! {
    /// The platform's name and the place of its files.
    PlaceArgs: [Group::Place];
    /// The addresses on which the roles listen; port 0 takes a free one.
    AddressArgs: [Group::Addresses];
    /// The runtime of functions, and the sources of their packages.
    RuntimeArgs: [Group::Runtime, Group::Builds];
    /// All settings of a role.
    SettingsArgs: [
        Group::Place,
        Group::Addresses,
        Group::Front,
        Group::Backends,
        Group::Runtime,
        Group::Builds,
        Group::Access,
        Group::Limits
    ];
}

fn of_groups(groups: &[Group]) -> impl Iterator<Item = Setting> {
    settings().filter(|setting| groups.contains(&setting.group()))
}

fn augment(command: Command, groups: &[Group]) -> Command {
    command.args(of_groups(groups).map(|setting| {
        let flag = setting.flag();
        let arg = Arg::new(flag.clone())
            .long(flag)
            .env(setting.variable())
            .value_name(setting.value())
            .help(setting.help())
            .help_heading(setting.group().heading())
            .hide_env_values(setting.is_secret());
        let arg = match setting.is_switch() {
            true => arg.num_args(0..=1).default_missing_value("true"),
            false => arg,
        };
        match setting.is_secret() {
            // clap's error about an invalid value repeats the value.
            true => arg,
            false => arg.value_parser(move |text: &str| {
                setting.read(&mut Settings::default(), text).map(|()| text.to_owned())
            }),
        }
    }))
}

/// Reads the values that clap has checked. A secret one is checked here: an error of clap's repeats it.
fn read(matches: &ArgMatches, groups: &[Group]) -> (Settings, Refused) {
    let (mut read, mut refused) = (Settings::default(), None);
    for setting in of_groups(groups) {
        let flag = setting.flag();
        let Some(text) = matches.get_one::<String>(&flag) else { continue };
        if let Err(problem) = setting.read(&mut read, text) {
            refused.get_or_insert(format!("--{flag}: {problem}"));
        }
    }
    (read, refused)
}

impl PlaceArgs {
    /// Returns this user's folders; without a home, everything is in the data folder.
    pub fn dirs(&self) -> Result<Dirs, Error> {
        Dirs::from_env(self.0.data_dir.as_deref())
            .map_err(|error| Error::new(Exit::Caller, error).hint("set HOME, or pass --data-dir DIR"))
    }
}

impl AddressArgs {
    /// Returns whether no flag of a role's own address is given.
    pub fn is_empty(&self) -> bool {
        const OTHERS: [&str; 3] = ["gateway_hosts", "public_listen", "tls_cert"];
        of_groups(&[Group::Addresses])
            .filter(|setting| !OTHERS.contains(&setting.key().as_str()))
            .all(|setting| setting.show(&self.0).is_none())
    }
}

impl SettingsArgs {
    /// Returns the flags of the place.
    pub fn place(&self) -> PlaceArgs {
        let Settings { name, data_dir, .. } = self.0.clone();
        PlaceArgs(Settings { name, data_dir, ..Settings::default() }, None)
    }

    /// Lays these flags (clap has read the environment) over the user's file.
    pub fn load(self, dirs: &Dirs) -> Result<Settings, Error> {
        Ok(self.settings()?.or(of_user(dirs)?))
    }

    /// Like [`Self::load`], for a user who may have no home and then has no file.
    pub fn load_anywhere(self) -> Result<Settings, Error> {
        match self.place().dirs() {
            Ok(dirs) => self.load(&dirs),
            Err(_) => self.settings(),
        }
    }

    /// Like [`Self::load`], with `--embedded`.
    pub fn load_embedded(self, dirs: &Dirs) -> Result<Settings, Error> {
        let flags = self.settings()?.embedded().map_err(|error| Error::new(Exit::Caller, error))?;
        Ok(flags.or(of_user(dirs)?))
    }
}

impl From<Settings> for SettingsArgs {
    fn from(settings: Settings) -> Self {
        Self(settings, None)
    }
}

/// Makes the error for settings that do not fit each other.
pub fn unfit(error: SettingsError) -> Error {
    let hint = error.hint();
    let error = Error::new(Exit::Caller, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn of_user(dirs: &Dirs) -> Result<Settings, Error> {
    Settings::of_user(dirs).map_err(|error| match error {
        SettingsError::Refused(unread) => unread.into(),
        error => Error::new(Exit::Caller, error),
    })
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    fn parse(arguments: &[String]) -> SettingsArgs {
        let command = SettingsArgs::augment_args(Command::new("x").no_binary_name(true));
        SettingsArgs::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn the_environment_of_a_child_says_the_same_as_the_flags_of_its_parent() {
        let flags = "--platform team --data-dir /d --store postgres://u:p@db/x --queue amqp://u:p@mq/%2f \
                     --secret-key-file /keys --runtime process --gateway-host 0.0.0.0 --gateway-hosts a.b,c --gateway-port 1 --registry-port 2 \
                     --public-listen [::]:443 --tls-cert /cert.pem --tls-key /key.pem --trusted-proxies 10.0.0.0/8 --insecure true \
                     --scheduler-port 3 --manager-port 4 --python-image p:{version} \
                     --python-version 3.11 --node-image n:{version} --node-version 24 --native-image d:{version} --native-version 11 --queue-wait 1500ms --max-waiting 5 --max-backlog 6 --max-backlog-size 5GiB \
                     --memory-budget 7GiB --keep-alive adaptive --prewarm-budget 1GiB --max-starts 8 --stop-grace 9s --retention 10h \
                     --audit-retention 20h --keep-revisions 3 --oidc-issuer https://id.example/a \
                     --oidc-audience cloudfunc --oidc-roles admin=sub:ann,deploy@team_*=groups:team \
                     --oidc-ca-file /ca.pem";
        let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        let dirs = Dirs { config: "/c".into(), state: "/s".into() };
        let platform = parse(&flags).0.platform(&dirs).unwrap();

        let command = SettingsArgs::augment_args(Command::new("x"));
        let mut as_flags = Vec::new();
        for (variable, value) in platform.environment() {
            let known = |arg: &&Arg| arg.get_env().is_some_and(|env| env == variable.as_str());
            let arg = command.get_arguments().find(known).expect(&variable);
            as_flags.extend([format!("--{}", arg.get_long().unwrap()), value]);
        }
        assert_eq!(as_flags.len(), flags.len(), "every setting is handed down");
        let child = parse(&as_flags).0.platform(&dirs).unwrap();
        assert_eq!(format!("{child:?}"), format!("{platform:?}"));
        assert_eq!(child.environment(), platform.environment());
    }

    #[test]
    fn a_switch_needs_no_value() {
        let insecure = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            parse(&words).0.insecure
        };
        assert_eq!(insecure(&[]), None);
        assert_eq!(insecure(&["--insecure"]), Some(true));
        assert_eq!(insecure(&["--insecure", "--gateway-port", "1"]), Some(true));
        assert_eq!(insecure(&["--insecure=false"]), Some(false));
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        let args = parse(&["--store".to_owned(), "mysql://u:hunter2@db".to_owned()]);
        let error = args.settings().unwrap_err().chain().join(": ");
        assert!(error.starts_with("--store: not a store; accepted are"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}
