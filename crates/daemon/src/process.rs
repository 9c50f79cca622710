//! What the daemon does to its own process once it has what only the superuser can get.

use timeball_config::Config;
use timeball_host::process::{self, Right, User, UserError};

/// Ports below this are the superuser's to give.
const FIRST_FREE_PORT: u16 = 1024;

/// The user to run as, if that is not who runs this.
///
/// # Errors
/// When there is no such user.
pub(crate) fn user_to_become(config: &Config) -> Result<Option<User>, UserError> {
    match &config.process.user {
        Some(name) if process::is_superuser() => {
            Ok(Some(User::named(name)?).filter(|user| !user.is_superuser()))
        }
        Some(_) | None => Ok(None),
    }
}

/// Takes the priority and keeps the memory that `config` asks for, and goes on as `user` with no
/// more rights than its work takes. What the kernel refuses of the first two is a warning.
///
/// # Errors
/// When the rights cannot be given up.
pub(crate) fn settle(config: &Config, user: Option<User>) -> Result<(), UserError> {
    if let Some(priority) = config.process.priority
        && let Err(error) = process::set_realtime_priority(priority)
    {
        tracing::error!("this remains an ordinary process, no real-time priority: {error}");
    }
    if config.process.lock_memory
        && let Err(error) = process::lock_memory()
    {
        tracing::error!("memory may be moved to swap space: {error}");
    }
    match user {
        Some(user) => process::become_user(user, &rights(config)),
        None => Ok(()),
    }
}

/// What the daemon goes on needing: sockets are opened again when the configuration changes, and
/// requests leave from fresh ones.
fn rights(config: &Config) -> Vec<Right> {
    use timeball_config::ClientPort;
    let mut rights = Vec::new();
    if config.engine.discipline.control {
        rights.push(Right::SetClock);
    }
    let reserved = |port: u16| (1..FIRST_FREE_PORT).contains(&port);
    let own_port = matches!(config.network.client_port, ClientPort::Fixed(port) if reserved(port));
    // chronyc can let clients in later.
    let may_serve = config.serves() || config.chronyc.socket.is_some();
    let serves = may_serve && reserved(config.serve.port);
    let gives_keys = config.gives_keys() && reserved(config.serve.key_establishment.port);
    if own_port || serves || gives_keys || config.chronyc.port.is_some_and(reserved) {
        rights.push(Right::BindReservedPorts);
    }
    let devices = config.engine.sources.iter().any(|source| source.bind_device.is_some())
        || config.serve.bind_device.is_some()
        || config.chronyc.bind_device.is_some();
    if devices {
        rights.push(Right::BindToDevice);
    }
    rights
}

#[cfg(test)]
mod tests {
    use timeball_core::settings::SourceSettings;

    use super::*;

    #[test]
    fn a_client_that_watches_needs_no_rights() {
        let mut config = Config::default();
        config.engine.discipline.control = false;
        config.engine.sources.push(SourceSettings::server("192.0.2.1"));
        assert_eq!(rights(&config), []);
        config.engine.discipline.control = true;
        assert_eq!(rights(&config), [Right::SetClock]);
        config.engine.server.allow = vec!["192.0.2.0/24".parse().unwrap()];
        assert_eq!(rights(&config), [Right::SetClock, Right::BindReservedPorts]);
        config.serve.port = 11123;
        assert_eq!(rights(&config), [Right::SetClock]);
        config.chronyc.port = Some(323);
        config.serve.bind_device = Some("eth0".to_owned());
        assert_eq!(
            rights(&config),
            [Right::SetClock, Right::BindReservedPorts, Right::BindToDevice]
        );
        let mut ruled = Config::default();
        ruled.engine.discipline.control = false;
        ruled.chronyc.socket = Some("/run/chrony/chronyd.sock".into());
        assert_eq!(rights(&ruled), [Right::BindReservedPorts]);
    }

    #[test]
    fn only_the_superuser_becomes_another() {
        let mut config = Config::default();
        assert_eq!(user_to_become(&config).unwrap(), None);
        config.process.user = Some("root".to_owned());
        assert_eq!(user_to_become(&config).unwrap(), None);
    }
}
