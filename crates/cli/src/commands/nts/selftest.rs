//! `timeball nts selftest`: every step from a name to an authentic answer.

use std::net::SocketAddr;

use clap::Args;
use timeball_auth::nts::ke::client::Established;
use timeball_core::association::Reject;
use timeball_host::clock::Clock;
use timeball_host::resolver::AddressFamily;
use timeball_wire::nts_ke::NTS_KE_PORT;
use timeball_wire::{NTP_PORT, Span};

use crate::arguments::some_seconds;
use crate::commands::query::{NoAnswer, Prober, Signer};
use crate::display::print;
use crate::display::style::{BAD, paint};
use crate::key_establishment::{KeyArguments, KeyEstablishment, Step};
use crate::outcome::{Failure, Outcome};
use crate::resolve;

/// Of the protocol: NTS has no other.
const VERSION: u8 = 4;

#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 if the server gave an authentic answer, 1 if not.")]
pub(crate) struct SelftestArguments {
    /// The server's name, as it is in its certificate
    host: String,
    /// TCP port at which it gives keys
    #[arg(short, long, default_value_t = NTS_KE_PORT)]
    port: u16,
    /// How long to wait for each step
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = some_seconds)]
    timeout: f64,
    #[command(flatten)]
    keys: KeyArguments,
}

/// Says what came of each step, as it comes.
pub(crate) fn run(arguments: &SelftestArguments) -> Result<Outcome, Failure> {
    let clock = Clock::open().map_err(Failure::system)?;
    match test(arguments, &clock) {
        Ok(()) => Ok(Outcome::Yes),
        Err(reason) => {
            print(&format!("{} {reason}\n", paint(BAD, "failed:")))?;
            Ok(Outcome::No)
        }
    }
}

fn test(arguments: &SelftestArguments, clock: &Clock) -> Result<(), String> {
    let SelftestArguments { host, port, timeout, keys } = arguments;
    let found = resolve::addresses(host, AddressFamily::Any, *timeout)?;
    let address = *found.first().ok_or("the name has no address")?;
    passed("name", &format!("{host} is {address}"))?;

    let establishment = KeyEstablishment { arguments: keys, timeout: *timeout, clock };
    let from = SocketAddr::new(address, *port);
    let established = establishment.run(host, from, &mut |step| tell(step, host))?;
    tell_keys(&established, keys.algorithms.len())?;

    let usual = SocketAddr::new(address, NTP_PORT);
    let server = establishment.ntp_server(&established, usual, AddressFamily::Any)?;
    passed("server", &format!("{server} gives the time (UDP)"))?;
    let signer = Signer::nts(established).map_err(|reason| reason.to_string())?;
    let prober = Prober::new(Span::from_seconds(*timeout), VERSION);
    ask(&mut prober.map_err(|error| error.to_string())?.with(signer), server)
}

fn tell(step: Step, host: &str) -> Result<(), String> {
    match step {
        Step::Trust(authorities) => passed("trust", &format!("{authorities} authorities")),
        Step::Connection(server) => passed("connection", &format!("to {server} (TCP)")),
        Step::Certificate => {
            passed("certificate", &format!("for {host}, valid now, from somebody trusted"))?;
            passed("protocol", "TLS 1.3 with ALPN ntske/1")
        }
    }
}

fn tell_keys(established: &Established, offered: usize) -> Result<(), String> {
    let algorithm = established.secrets.algorithm().number();
    passed("cipher", &format!("{algorithm}, of {offered} offered"))?;
    let cookies = &established.cookies;
    let len = cookies.first().map_or(0, Vec::len);
    passed("cookies", &format!("{} cookies of {len} bytes", cookies.len()))
}

/// One request, and what comes back.
fn ask(prober: &mut Prober, server: SocketAddr) -> Result<(), String> {
    let answer = match prober.ask(server) {
        // There may be other keys to try.
        Err(NoAnswer::Silence { ignored: Some(Reject::NtsNak), .. }) => prober.ask(server),
        answer => answer,
    };
    let words = match answer {
        Ok(sample) => format!("of stratum {}", sample.header.stratum),
        Err(NoAnswer::Kiss(code)) => format!("which says {code}"),
        Err(NoAnswer::Rejected(reject)) => format!("without time: {reject}"),
        Err(reason) => return Err(reason.to_string()),
    };
    passed("answer", &format!("authentic answer {words}; {} cookies now", prober.cookies()))
}

fn passed(step: &str, words: &str) -> Result<(), String> {
    print(&format!("{step:<12} {words}\n")).map_err(|_| "nobody listens".to_owned())
}
