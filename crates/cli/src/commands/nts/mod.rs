//! `timeball nts`: Network Time Security, for servers and for those who ask them.

mod cert;
mod selftest;

use clap::{Args, Subcommand};

use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct NtsArguments {
    #[command(subcommand)]
    command: NtsCommand,
}

#[derive(Debug, Subcommand)]
enum NtsCommand {
    /// Make a certificate for a server on a private network
    ///
    /// It vouches for itself: give the certificate, and never the key, to every client, which has to
    /// trust it (`ntstrustedcerts` in chrony.conf, `ca` in ntpsec's ntp.conf).
    Cert(cert::CertArguments),
    /// Try a server, and say what came of each step from its name to an authentic answer
    Selftest(selftest::SelftestArguments),
}

pub(crate) fn run(arguments: &NtsArguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        NtsCommand::Cert(arguments) => cert::run(arguments),
        NtsCommand::Selftest(arguments) => selftest::run(arguments),
    }
}
