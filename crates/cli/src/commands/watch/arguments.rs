//! The command line, and the plan that it and the file make.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use timeball_auth::KeyId;
use timeball_auth::key_file::Format;
use timeball_config::{Style, check_host};
use timeball_guard::watch::plan::KeyFile;
use timeball_guard::watch::watcher::Extent;
use timeball_guard::watch::{Expectation, Plan, Port, Proof, Subject, TimeLimits, file};
use timeball_host::listeners::Protocol;
use timeball_wire::Span;
use timeball_wire::nts_ke::NTS_KE_PORT;

use super::HangUp;
use super::outlets::Form;
use crate::arguments::{seconds, some_seconds};
use crate::commands::config::word_of;
use crate::commands::query::target::Target;
use crate::outcome::Failure;

#[derive(Args, Debug)]
#[command(
    after_help = "An ENDPOINT is HOST, HOST:PORT or [IPv6]:PORT, with `tcp:` before it for TCP; \
without a port it is 123.\n\nExit status with --once: 0 everything is as expected, 1 something is \
not; 2 a mistake on the command line or in the file; 3 the system refused something."
)]
pub(crate) struct WatchArguments {
    /// What to watch and whom to tell, as docs/guide/port-123.md describes it; options add to it
    file: Option<PathBuf>,
    /// Nobody listens there, and its host says so
    #[arg(long, value_name = "ENDPOINT")]
    closed: Vec<Endpoint>,
    /// Nothing is heard of it
    #[arg(long, value_name = "ENDPOINT")]
    filtered: Vec<Endpoint>,
    /// Nothing answers there, for whatever reason
    #[arg(long, value_name = "ENDPOINT")]
    closed_or_filtered: Vec<Endpoint>,
    /// Something answers there
    #[arg(long, value_name = "ENDPOINT")]
    open: Vec<Endpoint>,
    /// It serves the right time
    #[arg(long, value_name = "ENDPOINT")]
    time: Vec<Endpoint>,
    /// At this port of this host these processes listen and no others; nobody for an empty list
    #[arg(long, value_name = "PORT=[NAME,…]")]
    listens: Vec<Listens>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    schedule: ScheduleArguments,
    #[command(flatten)]
    outlets: OutletArguments,
    /// Keep how things stand in this file, over a restart
    #[arg(long, value_name = "PATH")]
    state_file: Option<PathBuf>,
    /// Write metrics for Prometheus' node exporter to this file
    #[arg(long, value_name = "PATH")]
    metrics_file: Option<PathBuf>,
    /// Give metrics to whoever fetches http://ADDRESS:PORT/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// End as soon as it is clear how everything stands
    #[arg(long)]
    once: bool,
    /// Say whether file and options can be followed, and look at nothing
    #[arg(long, conflicts_with = "once")]
    pub(super) check: bool,
    /// How to print alerts
    #[arg(long, value_enum, default_value_t = FormArgument::Json)]
    format: FormArgument,
}

/// When the time of the servers of `--time` is right.
#[derive(Args, Debug)]
struct LimitArguments {
    /// How far from this machine's clock a server of --time may be
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    within: Option<f64>,
    /// The highest stratum that a server of --time may have
    #[arg(long, value_name = "1-15", value_parser = clap::value_parser!(u8).range(1..=15))]
    max_stratum: Option<u8>,
    /// The key that a server of --time has to prove to know
    #[arg(short, long, value_name = "ID")]
    key: Option<KeyId>,
    /// A server of --time has to prove itself by Network Time Security
    #[arg(long, conflicts_with = "key")]
    nts: bool,
    /// The TCP port at which a server of --time gives keys for NTS
    #[arg(long, value_name = "PORT", requires = "nts", default_value_t = NTS_KE_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    nts_port: u16,
    /// Trust the certificates in this file or directory with keys for NTS, beside the system's
    #[arg(long, value_name = "PATH")]
    trust: Vec<PathBuf>,
    /// The file of symmetric keys
    #[arg(long, value_name = "FILE", env = "TIMEBALL_KEYS")]
    key_file: Option<PathBuf>,
    /// Whose format the key file has
    #[arg(long, default_value = "chrony", value_parser = word_of(Format::WORDS))]
    key_format: Format,
}

/// When to look and when to tell, instead of what the file says.
#[derive(Args, Debug)]
struct ScheduleArguments {
    /// Between two looks at the same port [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    interval: Option<f64>,
    /// The same while a change is not confirmed [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    confirm_interval: Option<f64>,
    /// So many looks in a row have to agree on a change [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    confirmations: Option<u32>,
    /// How long to wait for an answer [default: 2]
    #[arg(short, long, value_name = "SECONDS", value_parser = some_seconds)]
    timeout: Option<f64>,
    /// How long to wait before saying again that something is wrong; 0 says it once [default: 21600]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    reminder: Option<f64>,
}

/// Whom to tell, beside standard output.
#[derive(Args, Debug)]
struct OutletArguments {
    /// Write alerts to the journal
    #[arg(long)]
    journal: bool,
    /// Run this program for each alert, which it finds on its standard input
    #[arg(long, value_name = "PROGRAM")]
    command: Option<String>,
    /// Post each alert to this URL
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
}

/// How to print alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormArgument {
    /// A line of JSON for each
    Json,
    /// For people, with --once also how everything stands
    Text,
}

/// A port of any host, as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    host: String,
    port: Port,
}

/// Who should listen, as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listens {
    port: Port,
    processes: Vec<String>,
}

/// "tcp:x" is x over TCP.
fn protocol_of(text: &str) -> (Protocol, &str) {
    if let Some(rest) = text.strip_prefix("tcp:") {
        return (Protocol::Tcp, rest);
    }
    (Protocol::Udp, text.strip_prefix("udp:").unwrap_or(text))
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (protocol, rest) = protocol_of(text);
        let Target { host, port } = rest.parse()?;
        check_host(&host)?;
        Ok(Self { host, port: Port { protocol, number: port } })
    }
}

impl FromStr for Listens {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (protocol, rest) = protocol_of(text);
        let (port, names) =
            rest.split_once('=').ok_or("write PORT=NAME, or PORT= if nobody should listen")?;
        let number = port.parse().ok().filter(|port| *port > 0);
        let number = number.ok_or_else(|| format!("`{port}` is no port"))?;
        let processes = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self { port: Port { protocol, number }, processes: processes.collect() })
    }
}

impl WatchArguments {
    /// What the file and the options say.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.file {
            Some(path) => file::load(path)
                .map_err(|mistakes| Failure::Configuration(mistakes.render(Style::Coloured)))?,
            None => Plan::default(),
        };
        plan.subjects.extend(self.subjects());
        self.schedule.amend(&mut plan);
        self.outlets.amend(&mut plan)?;
        let LimitArguments { key_file, key_format, trust, .. } = &self.limits;
        plan.trust.extend_from_slice(trust);
        if let Some(path) = key_file {
            plan.keys = Some(KeyFile { path: path.clone(), format: *key_format });
        }
        replace(&mut plan.state_file, self.state_file.as_ref());
        replace(&mut plan.metrics_file, self.metrics_file.as_ref());
        replace(&mut plan.metrics_listen, self.metrics_listen.as_ref());
        plan.check().map_err(mistake)?;
        Ok(plan)
    }

    pub(super) fn extent(&self) -> Extent {
        if self.once { Extent::UntilSettled } else { Extent::Forever }
    }

    /// A file can be read again. At a terminal a hang-up says that nobody is there any more.
    pub(super) fn hang_up(&self) -> HangUp {
        let at_terminal = std::io::stdout().is_terminal();
        if self.file.is_some() && !at_terminal { HangUp::Rereads } else { HangUp::Ends }
    }

    pub(super) fn form(&self) -> Form {
        match self.format {
            FormArgument::Json => Form::Json,
            FormArgument::Text => Form::Text,
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        let by_key = self.limits.key.map(Proof::Key);
        let proof = by_key.or(self.limits.nts.then_some(Proof::Nts { port: self.limits.nts_port }));
        let mut limits = TimeLimits { proof, ..TimeLimits::default() };
        limits.within = self.limits.within.unwrap_or(limits.within);
        limits.max_stratum = self.limits.max_stratum.unwrap_or(limits.max_stratum);
        let remote = [
            (&self.closed, Expectation::Closed),
            (&self.filtered, Expectation::Filtered),
            (&self.closed_or_filtered, Expectation::ClosedOrFiltered),
            (&self.open, Expectation::Open),
            (&self.time, Expectation::Time(limits)),
        ];
        let remote = remote.into_iter().flat_map(|(endpoints, expected)| {
            endpoints.iter().cloned().map(move |Endpoint { host, port }| Subject::Remote {
                host,
                port,
                expected: expected.clone(),
            })
        });
        let local = self.listens.iter().cloned();
        let local = local.map(|Listens { port, processes }| Subject::Local { port, processes });
        remote.chain(local).collect()
    }
}

impl ScheduleArguments {
    fn amend(&self, plan: &mut Plan) {
        let schedule = &mut plan.schedule;
        for (given, kept) in [
            (self.interval, &mut schedule.interval),
            (self.confirm_interval, &mut schedule.confirm_interval),
            (self.timeout, &mut plan.timeout),
        ] {
            *kept = given.map_or(*kept, Span::from_seconds);
        }
        schedule.confirmations = self.confirmations.unwrap_or(schedule.confirmations);
        if let Some(reminder) = self.reminder {
            schedule.reminder = (reminder > 0.0).then(|| Span::from_seconds(reminder));
        }
    }
}

impl OutletArguments {
    fn amend(&self, plan: &mut Plan) -> Result<(), Failure> {
        plan.outlets.journal |= self.journal;
        if let Some(program) = &self.command {
            plan.outlets.command = vec![program.clone()];
        }
        if let Some(url) = &self.webhook {
            file::check_url(url).map_err(|problem| mistake(format!("--webhook: {problem}")))?;
            plan.outlets.webhook = Some(url.clone());
        }
        Ok(())
    }
}

fn replace<T: Clone>(kept: &mut Option<T>, given: Option<&T>) {
    if let Some(given) = given {
        *kept = Some(given.clone());
    }
}

fn mistake(message: String) -> Failure {
    Failure::Configuration(format!("error: {message}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        watch: WatchArguments,
    }

    fn plan(words: &[&str]) -> Result<Plan, String> {
        let line =
            Line::try_parse_from(["watch"].iter().chain(words)).map_err(|e| e.to_string())?;
        line.watch.plan().map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn endpoints_of_every_spelling() {
        let plan = plan(&[
            "--closed",
            "192.0.2.1",
            "--open",
            "tcp:h.example:4460",
            "--time",
            "[2001:db8::1]:1123",
            "--filtered",
            "udp:f",
            "--listens",
            "123=timeball,ntpd",
            "--listens",
            "tcp:323=",
            "--within",
            "0.5",
            "--max-stratum",
            "3",
        ])
        .unwrap();
        let named: Vec<_> =
            plan.subjects.iter().map(|subject| (subject.name(), subject.expected())).collect();
        let named: Vec<_> = named.iter().map(|(n, e)| (n.as_str(), e.as_str())).collect();
        assert_eq!(
            named,
            [
                ("udp:192.0.2.1:123", "closed"),
                ("udp:f:123", "filtered"),
                ("tcp:h.example:4460", "open"),
                ("udp:[2001:db8::1]:1123", "time within 500 ms, stratum 3 at most"),
                ("udp:123 of this host", "listens: timeball, ntpd"),
                ("tcp:323 of this host", "nobody listens"),
            ]
        );
    }

    #[test]
    fn a_proof_is_for_every_server_of_time() {
        let plan = plan(&["--time", "a", "--nts", "--trust", "/b", "--metrics-listen", "[::1]:1"]);
        let plan = plan.unwrap();
        assert_eq!(plan.subjects[0].expected(), "time within 100 ms, authenticated by NTS");
        assert_eq!(plan.trust, [PathBuf::from("/b")]);
        let elsewhere = super::tests::plan(&["--time", "a", "--nts", "--nts-port", "14460"]);
        assert_eq!(
            elsewhere.unwrap().subjects[0].expected(),
            "time within 100 ms, authenticated by NTS with keys from port 14460"
        );
        assert_eq!(plan.metrics_listen, "[::1]:1".parse().ok());
    }

    #[test]
    fn options_stand_before_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watch.toml");
        let text =
            "[watch]\ninterval = \"1 h\"\ntimeout = \"3 s\"\nreminder = \"1 h\"\n[[local]]\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let amended = plan(&[
            path,
            "--interval",
            "2",
            "--reminder",
            "0",
            "--closed",
            "h",
            "--command",
            "/bin/alert",
        ])
        .unwrap();
        assert_eq!(amended.schedule.interval, Span::from_secs(2));
        assert_eq!(amended.schedule.reminder, None);
        assert_eq!(amended.timeout, Span::from_secs(3));
        assert_eq!(amended.subjects.len(), 2);
        assert_eq!(amended.outlets.command, ["/bin/alert"]);
    }

    #[test]
    fn mistakes_say_what_to_do() {
        for (words, part) in [
            (&[][..], "there is nothing to watch"),
            (&["--time", "h", "--key", "7"][..], "no file of keys"),
            (&["--time", "h", "--key", "7", "--nts"][..], "cannot be used with"),
            (&["--time", "h", "--nts-port", "14460"][..], "--nts"),
            (&["--open", "h", "--closed", "h:123"][..], "named twice"),
            (&["--open", "h", "--webhook", "h"][..], "--webhook: this is no URL"),
            (&["--closed", "192.0.2.0/24"][..], "192.0.2.0/24"),
            (&["--listens", "ntpd"][..], "write PORT=NAME"),
            (&["--listens", "0=ntpd"][..], "`0` is no port"),
            (&["/nonexistent"][..], "cannot be read"),
        ] {
            let complaint = plan(words).unwrap_err();
            assert!(complaint.contains(part), "{words:?}: {complaint}");
        }
    }
}
