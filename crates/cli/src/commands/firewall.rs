//! `timeball firewall`: the rules that NTP needs, and why each of them.

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use timeball_config::Dialect;
use timeball_guard::firewall::configured::{Configured, Names, role_of};
use timeball_guard::firewall::install::{Comparison, InstallError, Tool};
use timeball_guard::firewall::{Memory, Role, Rule, firewalld, iptables, nftables, pf, rules, ufw};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet, Woken};
use timeball_host::signals::Signals;
use timeball_wire::Span;

use crate::arguments::some_time;
use crate::commands::config;
use crate::display::print;
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 fine, and with --check installed as it should be; 1 installed \
otherwise, or rolled back; 2 a mistake on the command line; 3 the system refused something."
)]
pub(crate) struct FirewallArguments {
    #[command(subcommand)]
    role: RoleArgument,
    /// Whose rules
    #[arg(long, value_enum, default_value_t = Backend::Nftables, global = true)]
    backend: Backend,
    /// For a firewall that does not remember what it has let out
    #[arg(long, global = true)]
    stateless: bool,
    #[command(flatten)]
    action: ActionArguments,
}

/// What to do with the rules; without any of these they are printed.
#[derive(Args, Debug)]
struct ActionArguments {
    /// Install them in place of those that were installed before (nftables, iptables, ufw)
    #[arg(long, global = true, conflicts_with_all = ["check", "remove"])]
    apply: bool,
    /// After this time, such as 60s, bring back what was installed before, unless `keep` is typed
    #[arg(long, value_name = "TIME", value_parser = some_time, requires = "apply", global = true)]
    rollback_after: Option<f64>,
    /// Compare them with what is installed
    #[arg(long, global = true, conflicts_with = "remove")]
    check: bool,
    /// Remove what --apply has installed
    #[arg(long, global = true)]
    remove: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum RoleArgument {
    /// Asks servers
    Client {
        /// From port 123, as older clients do
        #[arg(long)]
        fixed_port: bool,
    },
    /// Answers clients, and asks servers of its own
    Server {
        /// Whom it answers; everybody without this
        #[arg(long, value_name = "NETWORK", value_parser = network)]
        allow: Vec<IpNet>,
    },
    /// Is a symmetric peer of others
    Peer {
        /// The other peers
        #[arg(required = true, value_name = "ADDRESS")]
        peers: Vec<IpAddr>,
    },
    /// Listens to broadcasts
    BroadcastClient,
    /// Answers clients and gives keys for NTS
    NtsServer {
        /// Whom it answers; everybody without this
        #[arg(long, value_name = "NETWORK", value_parser = network)]
        allow: Vec<IpNet>,
    },
    /// Is what a configuration file says, timeball's or chrony's
    Config {
        /// The configuration file
        file: PathBuf,
        /// The language it is written in, if it cannot be told from its name and its text
        #[arg(long, value_parser = config::word_of(Dialect::WORDS))]
        dialect: Option<Dialect>,
        /// Let in answers from the addresses alone that the names in it have now
        #[arg(long)]
        resolve: bool,
    },
    /// Stands between networks
    Gateway {
        /// A network behind it
        #[arg(long, required = true, value_name = "NETWORK", value_parser = network_inside)]
        inside: Vec<IpNet>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    Nftables,
    /// iptables and ip6tables
    Iptables,
    Ufw,
    Firewalld,
    Pf,
}

/// A network, or a single address as one.
fn network(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc())
        .map_err(|_| "write a network such as 192.0.2.0/24, or an address".to_owned())
}

fn network_inside(text: &str) -> Result<IpNet, String> {
    let net = network(text)?;
    if net.prefix_len() == 0 {
        return Err("then nobody is outside: name the networks that are behind this host".into());
    }
    Ok(net)
}

/// The role, with what a reader of its rules should know.
fn configured(argument: &RoleArgument) -> Result<Configured, Failure> {
    let role = match argument.clone() {
        RoleArgument::Client { fixed_port: false } => Role::Client,
        RoleArgument::Client { fixed_port: true } => Role::FixedPortClient,
        RoleArgument::Server { allow } => Role::Server { allow },
        RoleArgument::Peer { peers } => Role::Peer { peers },
        RoleArgument::BroadcastClient => Role::BroadcastClient,
        RoleArgument::NtsServer { allow } => Role::NtsServer { allow },
        RoleArgument::Gateway { inside } => Role::Gateway { inside },
        RoleArgument::Config { file, dialect, resolve } => {
            if dialect.is_none() && is_ntp_conf(&file) {
                return Err(Failure::Configuration(format!(
                    "error: {} is in ntpd's language, which timeball does not read yet: say what the host \
                     is instead, as in `timeball firewall server --allow 192.0.2.0/24`",
                    file.display()
                )));
            }
            let config = config::load(&file, dialect)?.config;
            let mut addresses = addresses;
            let names = if resolve { Names::Resolved(&mut addresses) } else { Names::Left };
            return Ok(role_of(&config, names));
        }
    };
    Ok(Configured { role, notes: Vec::new() })
}

/// By its name, or by a directive that only ntpd has.
fn is_ntp_conf(file: &Path) -> bool {
    let named = file.file_name().is_some_and(|name| name == "ntp.conf" || name == "ntpd.conf");
    named
        || fs::read_to_string(file).is_ok_and(|text| {
            text.lines().any(|line| line.split_whitespace().next() == Some("restrict"))
        })
}

/// The addresses of a name.
fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

pub(crate) fn run(arguments: &FirewallArguments) -> Result<Outcome, Failure> {
    let memory = if arguments.stateless { Memory::Stateless } else { Memory::Stateful };
    let Configured { role, notes } = configured(&arguments.role)?;
    for note in notes {
        anstream::eprintln!("note: {note}");
    }
    let rules = rules(&role, memory);
    let action = &arguments.action;
    if !(action.apply || action.check || action.remove) {
        print(&render(arguments.backend, &rules))?;
        return Ok(Outcome::Yes);
    }
    let tool = match arguments.backend {
        Backend::Nftables => Tool::Nftables,
        Backend::Iptables => Tool::Iptables,
        Backend::Ufw => Tool::Ufw,
        Backend::Firewalld => return Err(only_printed("firewalld", "run it with `sh`")),
        Backend::Pf => return Err(only_printed("pf", "load it with `pfctl -a timeball -f`")),
    };
    if action.remove {
        tool.remove()?;
        return Ok(Outcome::Yes);
    }
    if action.check {
        return check(tool, &rules);
    }
    apply(tool, &rules, action.rollback_after.map(Span::from_seconds))
}

fn only_printed(tool: &str, how: &str) -> Failure {
    Failure::Configuration(format!(
        "error: timeball prints the rules for {tool} and does not install, compare or remove them, which \
         was never tried: leave --apply, --check and --remove out, read what is printed, and {how}"
    ))
}

fn render(backend: Backend, rules: &[Rule]) -> String {
    match backend {
        Backend::Nftables => nftables::render(rules),
        Backend::Iptables => iptables::render(rules),
        Backend::Ufw => ufw::render(rules),
        Backend::Firewalld => firewalld::render(rules),
        Backend::Pf => pf::render(rules),
    }
}

fn check(tool: Tool, rules: &[Rule]) -> Result<Outcome, Failure> {
    match tool.compare(rules)? {
        Comparison::Same => {
            print("installed as it should be")?;
            Ok(Outcome::Yes)
        }
        Comparison::Missing => {
            print("nothing is installed")?;
            Ok(Outcome::No)
        }
        Comparison::Different { surplus, lacking } => {
            let mut text = String::from("installed otherwise\n");
            for (mark, lines) in [("surplus", surplus), ("lacking", lacking)] {
                for line in lines {
                    text.push_str(&format!("{mark}: {line}\n"));
                }
            }
            if text.lines().count() == 1 {
                text.push_str("the rules are the same, in another order\n");
            }
            print(&text)?;
            Ok(Outcome::No)
        }
    }
}

fn apply(tool: Tool, rules: &[Rule], rollback: Option<Span>) -> Result<Outcome, Failure> {
    // Whoever waits for a confirmation must not be ended by the terminal that the rules have cut off.
    let signals = Signals::install().map_err(Failure::system)?;
    let before = tool.apply(rules)?;
    let Some(patience) = rollback else { return Ok(Outcome::Yes) };
    let kept = is_confirmed(patience, &signals);
    if matches!(kept, Ok(true)) {
        return Ok(Outcome::Yes);
    }
    tool.restore(&before)?;
    kept.map_err(Failure::system)?;
    // The rules are away already; whether anybody reads this is another matter.
    let _ = writeln!(io::stderr(), "rolled back: what was installed before is installed again");
    Ok(Outcome::No)
}

/// Whether somebody types `keep` in time. A signal, or the end of the input, is no.
fn is_confirmed(patience: Span, signals: &Signals) -> io::Result<bool> {
    let _ = writeln!(io::stderr(), "type `keep` within {} s to keep the rules", patience.seconds());
    let deadline = Clock::open()?.monotonic()? + patience;
    let input = io::stdin();
    let mut poll = PollSet::new();
    let slot = poll.add(input.as_fd(), Interest::Read);
    if let Some(descriptor) = signals.descriptor() {
        poll.add(descriptor, Interest::Read);
    }
    match poll.wait(Some(deadline))? {
        Woken::Ready(_) if poll.readiness(slot).readable => {
            let mut line = String::new();
            input.lock().read_line(&mut line)?;
            Ok(line.trim() == "keep")
        }
        Woken::Ready(_) | Woken::Deadline | Woken::Interrupted => Ok(false),
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        Self::system(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_in_several_ways() {
        for (text, net) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("10.0.0.5/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), net);
        }
        for text in ["", "example", "192.0.2.0/33", "192.0.2.0/", "10/8", "192.0.2.0/24 "] {
            let complaint = network(text).unwrap_err();
            assert!(complaint.contains("such as 192.0.2.0/24"), "{text}: {complaint}");
        }
        assert!(network_inside("10.0.0.0/8").is_ok());
        for everybody in ["0.0.0.0/0", "::/0"] {
            assert!(network_inside(everybody).unwrap_err().contains("nobody is outside"));
        }
    }
}
