//! Access by chronyc.

use timeball_core::server::RateLimit;

use super::super::access::Access;
use super::super::arguments::{socket_path, wrong};
use super::super::draft::Draft;
use super::Directive;
use super::server::rate_limit;
use crate::config::Chronyc;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured(
        "bindcmdaddress",
        "Local address for commands, one per family, or the path of the socket (`/` for none).",
        |draft, arguments| {
            let word = arguments.word("the address or path")?;
            if word.text.starts_with('/') {
                draft.config.chronyc.socket = socket_path(word)?;
                return Ok(());
            }
            let address = word.text.parse().map_err(|_| {
                wrong(word, "the address", "an IPv4 or IPv6 address, or a path that begins with /")
            })?;
            draft.bind_commands.set(address);
            Ok(())
        },
    ),
    Directive::honoured("bindcmddevice", "Interface for commands.", |draft, arguments| {
        draft.config.chronyc.bind_device = Some(arguments.device()?);
        Ok(())
    }),
    Directive::honoured(
        "cmdallow",
        "Hosts in this network may ask what `opencommands` lists.",
        |draft, arguments| draft.asking.read(arguments, Access::Allowed),
    ),
    Directive::honoured("cmddeny", "Hosts in this network may not ask.", |draft, arguments| {
        draft.asking.read(arguments, Access::Denied)
    }),
    Directive::honoured("cmdport", "UDP port for commands; 0 for none.", |draft, arguments| {
        draft.config.chronyc.port = Some(arguments.port()?).filter(|port| *port != 0);
        Ok(())
    }),
    Directive::honoured(
        "cmdratelimit",
        "Limits how often a host is answered.",
        |draft, arguments| {
            let unless_said = RateLimit { interval: 0.0625, burst: 8, leak: 4, kiss: 0 };
            draft.config.chronyc.rate_limit = Some(rate_limit(arguments, unless_said, &[])?);
            Ok(())
        },
    ),
    Directive::honoured(
        "opencommands",
        "What may be asked over the network.",
        |draft, arguments| {
            let mut commands: Vec<String> = Vec::new();
            while let Some(word) = arguments.next() {
                let Some(command) = Chronyc::OPENABLE_COMMANDS.iter().find(|known| word.is(known))
                else {
                    let expected = format!("one of {}", Chronyc::OPENABLE_COMMANDS.join(", "));
                    return Err(wrong(word, "an open command", expected));
                };
                if !commands.iter().any(|known| known == command) {
                    commands.push((*command).to_owned());
                }
            }
            draft.config.chronyc.open_commands = commands;
            Ok(())
        },
    ),
];
