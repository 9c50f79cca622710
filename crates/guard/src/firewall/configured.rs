//! What a configuration makes of a host, whichever language it is written in.

use std::io;
use std::net::IpAddr;

use timeball_config::{Chronyc, ClientPort, Config};
use timeball_core::settings::SourceKind;
use timeball_wire::NTP_PORT;

use super::role::{Commands, Duties, Role};

/// A role, and what a reader of its rules should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The role.
    pub role: Role,
    /// What the rules leave out, one line each.
    pub notes: Vec<String>,
}

/// What becomes of the names of servers and peers.
pub enum Names<'a> {
    /// Their answers are let in whatever their address is, and peers with a name get no rule.
    Left,
    /// These are their addresses, now. Answers are let in from those alone.
    Resolved(&'a mut dyn FnMut(&str) -> io::Result<Vec<IpAddr>>),
}

/// The role of a host with this configuration.
pub fn role_of(config: &Config, mut names: Names<'_>) -> Configured {
    let mut notes = Vec::new();
    let mut resolved = 0_usize;
    // Of one that is not known, the answers would be dropped.
    let mut are_all_known = true;
    let mut duties = Duties::default();
    if config.serves() && config.serve.port == NTP_PORT {
        duties.allow.clone_from(&config.engine.server.allow);
        duties.deny.clone_from(&config.engine.server.deny);
    } else if config.serves() {
        notes
            .push(format!("clients are served at port {}: no rule is for that", config.serve.port));
    }
    if config.serves() && config.gives_keys() {
        duties.key_port = Some(config.serve.key_establishment.port);
    }
    duties.commands = commands(&config.chronyc);
    for source in &config.engine.sources {
        if source.port != NTP_PORT {
            notes.push(format!(
                "{} is asked at port {}: its answers are known to a firewall with memory only",
                source.name, source.port
            ));
        }
        let addresses = match (source.name.parse::<IpAddr>(), &mut names) {
            (Ok(address), _) => vec![address],
            (Err(_), Names::Left) => Vec::new(),
            (Err(_), Names::Resolved(resolve)) => match resolve(&source.name) {
                Ok(addresses) => {
                    resolved = resolved.saturating_add(1);
                    addresses
                }
                Err(error) => {
                    notes.push(format!("{} cannot be resolved: {error}", source.name));
                    Vec::new()
                }
            },
        };
        are_all_known &= !addresses.is_empty();
        if source.kind != SourceKind::Peer {
            duties.servers.extend(addresses);
        } else if addresses.is_empty() {
            // An address written into a rule stays when the name has moved on.
            notes.push(format!(
                "the peer {} has no rule: firewalls know addresses, and names change theirs",
                source.name
            ));
        } else {
            duties.peers.extend(addresses);
        }
    }
    if matches!(names, Names::Left) || !are_all_known {
        if matches!(names, Names::Resolved(_)) {
            notes.push("answers are let in from everybody who is asked".to_owned());
        }
        duties.servers.clear();
    }
    duties.servers.sort_unstable();
    duties.servers.dedup();
    if resolved > 0 {
        notes.push(AGEING.to_owned());
    }
    duties.asks_from_ntp_port = config.network.client_port == ClientPort::Fixed(NTP_PORT);
    Configured { role: Role::Configured(duties), notes }
}

/// Who may send chronyc's requests from elsewhere; `None` where only this machine can.
fn commands(chronyc: &Chronyc) -> Option<Commands> {
    let port = chronyc.port?;
    let is_open = chronyc.bind_addresses.iter().any(|address| !address.is_loopback());
    is_open.then(|| Commands { port, allow: chronyc.allow.clone(), deny: chronyc.deny.clone() })
}

/// Why addresses in rules are not for ever.
const AGEING: &str = "these rules know the addresses that the names have now. A pool gives others within \
                      minutes, and every name may move: then answers are dropped, one source after the \
                      other is lost, and nothing says why. Make the rules anew each day, or leave the \
                      names alone: a firewall with memory lets in answers to what was asked, and nothing else";

#[cfg(test)]
mod tests {
    use timeball_config::Dialect;

    use super::*;

    fn configured(dialect: Dialect, text: &str) -> Configured {
        role_of(&timeball_config::parse("a file", text, dialect).unwrap().config, Names::Left)
    }

    #[test]
    fn clients_servers_and_peers_in_both_languages() {
        let native = configured(
            Dialect::Native,
            "[[server]]\naddress = \"192.0.2.1\"\n[serve]\nallow = [\"10.0.0.0/8\"]\n",
        );
        let chrony = configured(Dialect::Chrony, "server 192.0.2.1\nallow 10/8\n");
        assert_eq!(native, chrony);
        let Role::Configured(duties) = native.role else { panic!() };
        assert_eq!(duties.allow, ["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(native.notes, [""; 0]);

        let client = configured(Dialect::Chrony, "pool 2.pool.ntp.org\nacquisitionport 123\n");
        let expected = Duties { asks_from_ntp_port: true, ..Duties::default() };
        assert_eq!(client.role, Role::Configured(expected));

        let peers = configured(Dialect::Chrony, "peer 192.0.2.1\npeer other.example\n");
        let Role::Configured(duties) = &peers.role else { panic!() };
        assert_eq!(duties.peers, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert!(peers.notes[0].starts_with("the peer other.example has no rule"));
    }

    #[test]
    fn names_are_resolved_on_request_and_that_ages() {
        let text = "server 192.0.2.1\npool pool.example\npeer peer.example\n";
        let config = timeball_config::parse("a file", text, Dialect::Chrony).unwrap().config;
        let mut resolve = |name: &str| match name {
            "pool.example" => Ok(vec![[192, 0, 2, 3].into(), [192, 0, 2, 2].into()]),
            "peer.example" => Ok(vec![[192, 0, 2, 9].into()]),
            other => panic!("{other} is an address"),
        };
        let known = role_of(&config, Names::Resolved(&mut resolve));
        let Role::Configured(duties) = known.role else { panic!() };
        let expected: Vec<IpAddr> = [1, 2, 3].map(|last| [192, 0, 2, last].into()).to_vec();
        assert_eq!(duties.servers, expected);
        assert_eq!(duties.peers, [IpAddr::from([192, 0, 2, 9])]);
        assert_eq!(known.notes, [AGEING]);

        // One that is not known must not be cut off.
        let mut resolve = |name: &str| match name {
            "pool.example" => Err(io::Error::other("nobody knows it")),
            _ => Ok(vec![[192, 0, 2, 9].into()]),
        };
        let unknown = role_of(&config, Names::Resolved(&mut resolve));
        let Role::Configured(duties) = unknown.role else { panic!() };
        assert_eq!(duties.servers, [] as [IpAddr; 0]);
        assert_eq!(unknown.notes[0], "pool.example cannot be resolved: nobody knows it");
        assert!(unknown.notes.iter().any(|note| note.contains("from everybody")));
    }

    #[test]
    fn chronyc_from_elsewhere_takes_an_address_to_listen_at_and_leave_to_ask() {
        let commands = |text: &str| match configured(Dialect::Chrony, text).role {
            Role::Configured(duties) => duties.commands,
            role => panic!("{role:?}"),
        };
        let net = |text: &str| text.parse::<ipnet::IpNet>().unwrap();
        assert_eq!(commands("cmdallow 10/8\n"), None, "it listens to this machine alone");
        assert_eq!(commands("bindcmdaddress 0.0.0.0\ncmdport 0\n"), None);
        let open = Commands { port: 323, allow: Vec::new(), deny: Vec::new() };
        assert_eq!(commands("bindcmdaddress 0.0.0.0\n"), Some(open.clone()));
        let some = "bindcmdaddress 192.0.2.1\ncmdport 1323\ncmdallow 10/8\ncmddeny 10.1/16\n";
        let expected =
            Commands { port: 1323, allow: vec![net("10.0.0.0/8")], deny: vec![net("10.1.0.0/16")] };
        assert_eq!(commands(some), Some(expected));
    }

    #[test]
    fn keys_are_for_those_who_are_served() {
        let key_port = |text: &str| match configured(Dialect::Chrony, text).role {
            Role::Configured(duties) => duties.key_port,
            role => panic!("{role:?}"),
        };
        let keys = "ntsservercert /c\nntsserverkey /k\n";
        assert_eq!(key_port(&format!("allow\n{keys}")), Some(4460));
        assert_eq!(key_port(&format!("allow\n{keys}ntsport 14460\n")), Some(14460));
        assert_eq!(key_port(keys), None);
        assert_eq!(key_port("allow\n"), None);
    }

    #[test]
    fn other_ports_are_told() {
        let other = configured(Dialect::Chrony, "server 192.0.2.1 port 1123\nallow\nport 1124\n");
        assert_eq!(other.role, Role::Configured(Duties::default()));
        assert_eq!(other.notes.len(), 2, "{other:?}");
    }
}
