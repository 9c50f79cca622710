//! `timeball firewall` with `--apply`, `--check`, `--remove` and `--rollback-after`, in network namespaces.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Output, Stdio};

use timeball_interop::firewall::{BACKENDS, TOOLS, expect_status, firewall, with_ufw};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY};
use timeball_interop::process::output_of;
use timeball_interop::timeball;

#[test]
fn what_is_installed_is_compared_kept_and_rolled_back() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let host = laboratory.host("host");
    for backend in BACKENDS {
        let run = |arguments: &str| firewall(&host, &format!("{arguments} --backend {backend}"));
        expect_status(&run("server --check"), 1);
        expect_status(&run("server --apply"), 0);
        expect_status(&run("server --check"), 0);
        expect_status(&run("server --apply"), 0);
        expect_status(&run("server --check"), 0);
        expect_status(&run("client --check"), 1);

        // Nobody confirms: standard input has ended.
        expect_status(&run("client --apply --rollback-after 60"), 1);
        expect_status(&run("server --check"), 0);
        // Somebody says something else, and somebody does.
        expect_status(&confirmed(&host, backend, "what?\n"), 1);
        expect_status(&run("server --check"), 0);
        expect_status(&confirmed(&host, backend, "keep\n"), 0);
        expect_status(&run("client --check"), 0);

        // Somebody else takes a rule away.
        let meddle: &[&str] = match backend {
            "nftables" => &["nft", "flush", "chain", "inet", "timeball", "output"],
            _ => &["iptables", "-F", "TIMEBALL-OUTPUT"],
        };
        output_of(host.command(&need::program(meddle[0])).args(&meddle[1..]));
        let check = run("client --check");
        expect_status(&check, 1);
        let told = String::from_utf8_lossy(&check.stdout);
        assert!(told.contains("lacking: ") && told.contains("sport 123"), "{told}");
        expect_status(&run("client --remove"), 0);
        expect_status(&run("client --remove"), 0);
        expect_status(&run("client --check"), 1);
    }
}

/// Applies the rules of a client and types something.
fn confirmed(host: &Host, backend: &str, typed: &str) -> Output {
    let mut command = host.command(&timeball::program());
    command.args(["firewall", "client", "--backend", backend, "--apply", "--rollback-after", "60"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start timeball");
    let mut input = child.stdin.take().expect("its input is ours");
    input.write_all(typed.as_bytes()).expect("type");
    child.wait_with_output().expect("wait for timeball")
}

/// What is done with ufw, whose files last only as long as one script. `expect STATUS WORDS...` runs
/// `timeball firewall`, and fails if it ends otherwise.
const UFW_FROM_FIRST_TO_LAST: &str = r#"
expect() {
	want=$1
	shift
	got=0
	"$timeball" firewall "$@" --backend ufw > /mnt/said 2>&1 < /mnt/typed || got=$?
	if [ "$got" != "$want" ]; then
		echo "$*: $got instead of $want" >&2
		cat /mnt/said >&2
		exit 1
	fi
}
says() {
	grep -qF -e "$1" /mnt/said || { echo "nothing says: $1" >&2; cat /mnt/said >&2; exit 1; }
}
# Everything that ufw has, its order included; what it has never had begins differently.
state() {
	cat /etc/ufw/before.rules /etc/ufw/before6.rules
	ufw show added
}
timeball=$1
: > /mnt/typed
ufw allow 22/tcp comment 'not by timeball'
state > /mnt/untouched

expect 1 server --check
says 'nothing is installed'
expect 0 server --allow 10.0.0.0/8 --apply
state > /mnt/server
grep -qF "ufw allow from 10.0.0.0/8 to any port 123 proto udp comment 'timeball'" /mnt/server
expect 0 server --allow 10.0.0.0/8 --check
expect 0 server --allow 10.0.0.0/8 --apply
state | diff /mnt/server -
expect 1 client --check
says "lacking: ufw deny out from any port 123"
says "surplus: -I ufw-before-input"

# What was applied is what would have been printed.
expect 0 client --remove
state | diff /mnt/untouched -
"$timeball" firewall server --allow 10.0.0.0/8 --backend ufw | sh
state | diff /mnt/server -
expect 0 server --allow 10.0.0.0/8 --check

# Nobody confirms, somebody says something else, somebody does.
expect 1 client --apply --rollback-after 60s
state | diff /mnt/server -
echo 'what?' > /mnt/typed
expect 1 client --apply --rollback-after 60s
state | diff /mnt/server -
echo keep > /mnt/typed
expect 0 client --apply --rollback-after 60s
expect 0 client --check

# Somebody takes a command away, somebody empties a chain.
ufw delete deny 323/udp
expect 1 client --check
says "lacking: ufw deny 323/udp comment 'timeball'"
expect 0 server --apply
expect 0 server --check
ufw show added | grep -qxF "ufw allow 123/udp comment 'timeball'"
ip6tables -F ufw6-before-input
expect 1 server --check
says 'lacking: -A ufw6-before-input -i lo -j ACCEPT'
ufw reload
expect 0 server --check

# To ufw a rule of somebody else's for the same packets is the same rule: theirs is not given up.
expect 0 client --remove
ufw allow 123/udp comment 'a web page said so'
state > /mnt/theirs
expect 3 client --apply
says "ufw allow 123/udp comment 'a web page said so'"
says 'nothing was changed'
state | diff /mnt/theirs -
ufw delete allow 123/udp

# A file that somebody has edited by hand is not made worse.
expect 0 server --apply
sed -i '/^# timeball: end$/d' /etc/ufw/before.rules
cp /etc/ufw/before.rules /mnt/edited
expect 3 client --remove
says "the mark '# timeball: end' is missing"
cmp /etc/ufw/before.rules /mnt/edited
cp /usr/share/ufw/iptables/before.rules /etc/ufw/before.rules
expect 0 client --remove
expect 0 client --remove
expect 1 client --check
state | diff /mnt/untouched -

# Rules that would not act are not pretended to.
ufw disable
expect 3 client --apply
says '`ufw enable` first'
state | diff /mnt/untouched -
"#;

#[test]
fn ufw_has_its_rules_applied_compared_kept_and_rolled_back() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let host = laboratory.host("host");
    let program = timeball::program();
    expect_status(&with_ufw(&host, UFW_FROM_FIRST_TO_LAST, &program.to_string_lossy()), 0);
}

#[test]
fn what_was_never_tried_is_printed_and_not_installed() {
    if !need::met(&LABORATORY) {
        return;
    }
    let laboratory = Laboratory::new();
    let host = laboratory.host("host");
    for (backend, how) in [("firewalld", "run it with `sh`"), ("pf", "pfctl -a timeball -f")] {
        for action in ["--apply", "--apply --rollback-after 60s", "--check", "--remove"] {
            let refused = firewall(&host, &format!("client --backend {backend} {action}"));
            expect_status(&refused, 2);
            let said = String::from_utf8_lossy(&refused.stderr);
            assert!(said.contains(backend) && said.contains(how), "{said}");
        }
        expect_status(&firewall(&host, &format!("client --backend {backend}")), 0);
    }
}
