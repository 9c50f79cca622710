//! Where the configuration comes from, and what the command line has to say to it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use timeball_config::chrony::SourceDirectories;
use timeball_config::{Config, Diagnostic, Dialect, Document, DriftFile, Loaded, Mistakes, Style};
use timeball_core::settings::{Family, SourceSettings};
use timeball_host::process::User;

use crate::{directories, leap_seconds, logging};

/// A configuration file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// The language it is written in.
    pub dialect: Dialect,
}

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub enum ConfigText {
    /// A file.
    File(ConfigFile),
    /// The command line, one directive of chrony.conf in each argument.
    Arguments(Vec<String>),
}

impl ConfigText {
    /// What to call it.
    pub fn name(&self) -> String {
        match self {
            Self::File(file) => file.path.display().to_string(),
            Self::Arguments(_) => "the command line".to_owned(),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Loaded, Mistakes> {
        match self {
            Self::File(ConfigFile { path, dialect }) => timeball_config::load(path, *dialect),
            Self::Arguments(directives) => timeball_config::chrony::parse_lines(directives),
        }
    }
}

/// A configuration that can be read, and read again.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where it comes from.
    pub text: ConfigText,
    /// What the command line says against it.
    pub overrides: Overrides,
}

/// What the command line says against the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Use this family of addresses alone.
    pub family: Option<Family>,
    /// Run as this user.
    pub user: Option<String>,
    /// If nobody names a user, run as that of these who owns the directory of the drift file.
    pub usual_users: Vec<String>,
    /// Run at this real-time priority.
    pub priority: Option<u8>,
    /// Keep all memory out of swap space.
    pub lock_memory: bool,
    /// The clock was right a moment ago: no first correction, and no steps but those that are
    /// always allowed.
    pub restarted: bool,
    /// Ask, and do nothing else: no server, no control sockets, no files.
    pub client_only: bool,
}

impl Configuration {
    /// The configuration in a file, as it is.
    pub fn file(file: ConfigFile) -> Self {
        Self { text: ConfigText::File(file), overrides: Overrides::default() }
    }

    /// Reads it, the list of leap seconds and the directories of sources, and logs what is worth a
    /// warning.
    ///
    /// # Errors
    /// Every mistake in it, or what is wrong with the list that it names.
    pub fn load(&self) -> Result<Complete, Mistakes> {
        let loaded = self.text.read()?;
        warn_of(&loaded.warnings, &loaded.document);
        let leap_table = leap_seconds::load(&loaded)?;
        let mut config = loaded.config;
        config.engine.discipline.leap_table = leap_table;
        let mut found = Found { directories: loaded.source_directories, sources: Vec::new() };
        config.engine.sources.extend(found.look(self.overrides.family));
        self.overrides.apply(&mut config);
        Ok(Complete { config, found })
    }
}

/// A configuration, and what it is to be completed by later.
#[derive(Clone, Debug)]
pub struct Complete {
    /// The configuration with everything that has been found so far.
    pub config: Config,
    /// Directories to look for sources in.
    pub found: Found,
}

/// What was found in directories of sources, which other programs fill.
#[derive(Clone, Debug, Default)]
pub struct Found {
    directories: SourceDirectories,
    sources: Vec<SourceSettings>,
}

impl Found {
    /// Looks again. Returns the sources that there are now.
    pub(crate) fn look(&mut self, family: Option<Family>) -> Vec<SourceSettings> {
        let found = self.directories.read();
        warn_of(&found.warnings, &found.document);
        self.sources = found.sources;
        if let Some(family) = family {
            self.sources.iter_mut().for_each(|source| {
                source.family.get_or_insert(family);
            });
        }
        self.sources.clone()
    }

    /// The sources that there were when it last looked.
    pub(crate) fn sources(&self) -> &[SourceSettings] {
        &self.sources
    }
}

fn warn_of(warnings: &[Diagnostic], document: &Document) {
    for warning in warnings {
        logging::warn_lines(&warning.render(document, Style::Plain));
    }
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        let Self { family, user, usual_users, priority, lock_memory, restarted, client_only } =
            self;
        if let Some(family) = *family {
            restrict(config, family);
        }
        let said = user.clone().or(config.process.user.take());
        config.process.user = said.or_else(|| owner_of_state(config, usual_users));
        config.process.priority = priority.or(config.process.priority);
        config.process.lock_memory |= lock_memory;
        if *restarted {
            config.clock.initial = None;
            let discipline = &mut config.engine.discipline;
            discipline.step_limit = discipline.step_limit.map(|_| 0);
        }
        if *client_only {
            config.engine.server.allow.clear();
            config.engine.server.broadcasts.clear();
            config.log.records.clear();
            config.files.dump_directory = None;
            config.nts.directory = None;
            config.serve.key_establishment.certificates.clear();
            config.engine.local = None;
            config.chronyc.socket = None;
            config.chronyc.port = None;
            config.control.socket = None;
            config.files.pid_file = None;
            config.files.drift_file = match &config.files.drift_file {
                // What is known of the oscillator helps; what a glance tells is not worth keeping.
                DriftFile::At { path, .. } => {
                    DriftFile::At { path: path.clone(), interval: f64::INFINITY }
                }
                DriftFile::InStateDirectory | DriftFile::None => DriftFile::None,
            };
        }
    }
}

/// Lets nothing but `family` be used.
fn restrict(config: &mut Config, family: Family) {
    let fits = |address: &IpAddr| match family {
        Family::Ipv4 => address.is_ipv4(),
        Family::Ipv6 => address.is_ipv6(),
    };
    let any: IpAddr = match family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    for source in &mut config.engine.sources {
        source.family.get_or_insert(family);
    }
    let chronyc = &mut config.chronyc;
    let (serve_all, ask_all) =
        (config.serve.bind_addresses.is_empty(), chronyc.bind_addresses.is_empty());
    config.serve.bind_addresses.retain(fits);
    chronyc.bind_addresses.retain(fits);
    if serve_all {
        config.serve.bind_addresses.push(any);
    }
    // With no address left there is nowhere to listen, which is not the same as everywhere.
    if !ask_all && chronyc.bind_addresses.is_empty() {
        chronyc.port = None;
    }
}

/// Which of these users owns the directory of the drift file: whoever installed chronyd for a user has
/// given it to them.
fn owner_of_state(config: &Config, users: &[String]) -> Option<String> {
    let owner = fs::metadata(directories::of_drift_file(&config.files)?).ok()?.uid();
    users.iter().find(|name| User::named(name).is_ok_and(|user| user.id == owner)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let mut config = Config::default();
        config.engine.sources.push(SourceSettings::server("ntp.example"));
        config.engine.server.allow = vec!["192.0.2.0/24".parse().unwrap()];
        config.files.pid_file = Some("/run/pid".into());
        config.chronyc.port = Some(323);
        config.chronyc.bind_addresses = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        config
    }

    #[test]
    fn one_family_is_all_that_is_left() {
        let mut config = config();
        let overrides = Overrides { family: Some(Family::Ipv6), ..Overrides::default() };
        overrides.apply(&mut config);
        assert_eq!(config.engine.sources[0].family, Some(Family::Ipv6));
        assert_eq!(config.serve.bind_addresses, [IpAddr::V6(Ipv6Addr::UNSPECIFIED)]);
        assert_eq!(config.chronyc.bind_addresses, ["::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(config.chronyc.port, Some(323));
    }

    #[test]
    fn the_command_line_counts_more_than_the_file_and_the_owner_of_the_state_least() {
        let name = |name: &str| Some(name.to_owned());
        for (user, in_file, usual, expected) in [
            (name("a"), name("b"), "root", name("a")),
            (None, name("b"), "root", name("b")),
            (None, None, "root", name("root")),
            (None, None, "nobody", None),
            (None, None, "no-such-user", None),
        ] {
            let mut config = config();
            config.process.user = in_file;
            // The root directory belongs to the superuser.
            config.files.drift_file = DriftFile::At { path: "/drift".into(), interval: 3600.0 };
            let overrides =
                Overrides { user, usual_users: vec![usual.to_owned()], ..Overrides::default() };
            overrides.apply(&mut config);
            assert_eq!(config.process.user, expected);
        }
    }

    #[test]
    fn a_restart_steps_only_where_that_is_always_allowed() {
        let overrides = Overrides { restarted: true, ..Overrides::default() };
        let mut limited = config();
        limited.engine.discipline.step_limit = Some(3);
        limited.clock.initial = Some(timeball_config::InitialCorrection {
            threshold: 1.0,
            servers: vec!["192.0.2.1".to_owned()],
        });
        overrides.apply(&mut limited);
        assert_eq!(limited.engine.discipline.step_limit, Some(0));
        assert_eq!(limited.clock.initial, None);
        let mut always = config();
        always.engine.discipline.step_limit = None;
        overrides.apply(&mut always);
        assert_eq!(always.engine.discipline.step_limit, None);
    }

    #[test]
    fn a_mere_client_opens_nothing() {
        let mut config = config();
        Overrides { client_only: true, ..Overrides::default() }.apply(&mut config);
        assert!(!config.serves());
        assert_eq!(config.chronyc.port, None);
        assert_eq!(config.chronyc.socket, None);
        assert_eq!(config.control.socket, None);
        assert_eq!(config.files.pid_file, None);
    }
}
