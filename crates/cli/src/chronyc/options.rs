//! The command line, as chronyc has it.

use clap::{Args, Parser};

use super::record::Presentation;

/// Where a daemon is looked for.
const DEFAULT_HOSTS: &str = "/run/chrony/chronyd.sock,127.0.0.1,::1";

/// Asks a daemon that speaks chrony's command protocol how it is doing, and has it do things.
#[derive(Debug, Parser)]
#[command(name = "chronyc", disable_version_flag = true, disable_help_flag = true)]
pub(super) struct Chronyc {
    #[command(flatten)]
    pub(super) options: Options,
}

#[derive(Args, Clone, Debug)]
#[command(disable_help_flag = true, args_override_self = true)]
pub(crate) struct Options {
    /// Use IPv4 addresses only
    #[arg(short = '4', overrides_with = "ipv6")]
    pub(super) ipv4: bool,
    /// Use IPv6 addresses only
    #[arg(short = '6', overrides_with = "ipv4")]
    pub(super) ipv6: bool,
    /// Print addresses instead of host names
    #[arg(short)]
    pub(super) numeric: bool,
    /// Print the names of sources as they were configured
    #[arg(short = 'N')]
    pub(super) names_as_configured: bool,
    /// Print comma-separated values
    #[arg(short, conflicts_with = "json")]
    csv: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// End each answer with a line of one dot
    #[arg(short)]
    pub(super) end_dot: bool,
    /// Every argument is a command
    #[arg(short)]
    pub(super) multiple: bool,
    /// Where the daemon is: host names, addresses and paths of sockets, tried in turn
    #[arg(short, value_name = "HOST,...", value_delimiter = ',', default_value = DEFAULT_HOSTS)]
    pub(super) hosts: Vec<String>,
    /// The daemon's UDP port
    #[arg(short, default_value_t = timeball_wire::cmdmon::PORT)]
    pub(super) port: u16,
    /// Accepted for compatibility: no rights are needed that would have to be dropped
    #[arg(short, value_name = "USER")]
    user: Option<String>,
    /// Accepted for compatibility
    #[arg(short)]
    debug: bool,
    /// Accepted for compatibility
    #[arg(short, hide = true)]
    authenticate: bool,
    /// Accepted for compatibility
    #[arg(short, value_name = "FILE", hide = true)]
    file: Option<String>,
    /// Accepted for compatibility: lines are as long as they need to be
    #[arg(short)]
    wide: bool,
    /// Print the version
    #[arg(short = 'v', long = "version")]
    pub(super) version: bool,
    /// Print this
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// A command and its arguments; without any, commands are read from standard input
    #[arg(trailing_var_arg = true)]
    pub(super) command: Vec<String>,
}

impl Options {
    pub(super) fn presentation(&self) -> Presentation {
        match (self.csv, self.json) {
            (_, true) => Presentation::Json,
            (true, false) => Presentation::Csv,
            (false, false) => Presentation::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Options {
        Chronyc::try_parse_from([&["chronyc"], arguments].concat()).unwrap().options
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Chronyc::command().debug_assert();
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let options = parse(&["-cn", "-h", "/run/x.sock,::1", "-p", "324", "sources", "-a", "-v"]);
        assert_eq!(options.presentation(), Presentation::Csv);
        assert!(options.numeric && !options.multiple);
        assert_eq!(options.hosts, ["/run/x.sock", "::1"]);
        assert_eq!(options.port, 324);
        assert_eq!(options.command, ["sources", "-a", "-v"]);
        let options = parse(&["dns", "-4"]);
        assert_eq!(options.command, ["dns", "-4"]);
        assert!(!options.ipv4);
    }

    #[test]
    fn the_last_word_counts() {
        let options = parse(&["-4", "-6"]);
        assert!(options.ipv6 && !options.ipv4);
        assert_eq!(parse(&[]).hosts, ["/run/chrony/chronyd.sock", "127.0.0.1", "::1"]);
        assert_eq!(parse(&["--json"]).presentation(), Presentation::Json);
        assert!(Chronyc::try_parse_from(["chronyc", "-z"]).is_err());
    }
}
