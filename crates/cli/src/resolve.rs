//! From a name to addresses.

use std::io;
use std::net::IpAddr;

use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::resolver::{AddressFamily, Resolution, ResolveError, Resolver};
use timeball_wire::Span;

/// Resolvers are slower than servers (s): they may have to ask several.
const PATIENCE: f64 = 10.0;

/// The addresses of a host, at least one, or why there are none. Its name may be an address. They are
/// waited for as long as for an answer, `timeout` (s), or longer.
pub(crate) fn addresses(
    host: &str,
    family: AddressFamily,
    timeout: f64,
) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return match (family, address) {
            (AddressFamily::V4, IpAddr::V6(_)) => Err("not an IPv4 address".into()),
            (AddressFamily::V6, IpAddr::V4(_)) => Err("not an IPv6 address".into()),
            _ => Ok(vec![address]),
        };
    }
    match look_up(host, family, Span::from_seconds(timeout.max(PATIENCE))) {
        Ok(Some(Ok(addresses))) if addresses.is_empty() => Err("the name has no address".into()),
        Ok(Some(Ok(addresses))) => Ok(addresses),
        Ok(Some(Err(reason))) => Err(format!("the name cannot be resolved: {reason}")),
        Ok(None) => Err("the name cannot be resolved: nobody answered in time".into()),
        Err(error) => Err(format!("the name cannot be resolved: {error}")),
    }
}

/// What the resolver says, if it says anything in time.
fn look_up(
    host: &str,
    family: AddressFamily,
    patience: Span,
) -> io::Result<Option<Result<Vec<IpAddr>, ResolveError>>> {
    let clock = Clock::open()?;
    let deadline = clock.monotonic()? + patience;
    let mut resolver = Resolver::new()?;
    if let Resolution::Known(answer) = resolver.resolve((), host, family) {
        return Ok(Some(answer));
    }
    let mut poll = PollSet::new();
    while clock.monotonic()? < deadline {
        poll.clear();
        if let Some(descriptor) = resolver.descriptor() {
            poll.add(descriptor, Interest::Read);
        }
        poll.wait(Some(deadline))?;
        if let Some(((), answer)) = resolver.answers().into_iter().next() {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}
