//! What ufw has of ours: scripts for `sh` that list it, take it away, bring it back, and rehearse.

use super::super::rule::Rule;
use super::{INTO_FILE, render};

/// Lists what is ours as a script would say it that brings it back: commands, then pieces of files.
pub(in super::super) const LIST: &str = r#"set -e
added=$(ufw show added)
printf '%s\n' "$added" | sed -n "/^ufw [a-z0-9 .:\/]* comment 'timeball'\$/p"
for file in /etc/ufw/before.rules /etc/ufw/before6.rules; do
	if grep -q '^# timeball: begin$' "$file"; then
		echo "into_file $file <<'# timeball: end'"
		sed -n '/^# timeball: begin$/,/^# timeball: end$/p' "$file" | sed 1d
	fi
done
"#;

/// Whether a line of that listing is a rule, and no comment and no redirection.
pub(in super::super) fn is_rule(line: &str) -> bool {
    line.starts_with('-') || line.starts_with("ufw ")
}

/// A script that takes all of ours away, however much is there.
pub(in super::super) fn removal() -> String {
    format!("set -e\n{INTO_FILE}{TAKE_AWAY}if $is_piece_gone; then\n\tufw reload\nfi\n")
}

/// Deletes our commands and pieces; whether there were any of the latter is in `is_piece_gone`.
const TAKE_AWAY: &str = r#"
added=$(ufw show added)
is_piece_gone=false
for file in /etc/ufw/before.rules /etc/ufw/before6.rules; do
	if grep -q '^# timeball: begin$' "$file"; then
		into_file "$file" < /dev/null
		is_piece_gone=true
	fi
done
printf '%s\n' "$added" | sed -n "s/^ufw \([a-z0-9 .:\/]*\) comment 'timeball'\$/\1/p" |
	while read -r rule; do ufw delete $rule < /dev/null; done
"#;

/// A script that brings back what [`LIST`] has listed, where nothing of ours is.
pub(in super::super) fn restoration(listing: &str) -> String {
    format!("set -e\n{INTO_FILE}\n{listing}\nufw reload\n")
}

/// A script that gives these rules to a copy of ufw's files, in place of ours that stand there, and lists
/// them as [`LIST`] does. It is to be run with a network and mounts of its own, and fails where ufw refuses
/// a rule, and where it is not enabled.
pub(in super::super) fn on_a_copy(rules: &[Rule]) -> String {
    let rules = render(rules);
    format!("{COPY}{{{INTO_FILE}{TAKE_AWAY}others > /etc/ufw/others\n{rules}}} > /dev/null\n{LIST}")
}

/// The same, but it fails also where ufw would give up somebody else's rule for one of ours: two rules for
/// the same packets are one to it, whatever becomes of these packets.
pub(in super::super) fn rehearsal(rules: &[Rule]) -> String {
    format!("{}{NONE_IS_LOST}", on_a_copy(rules))
}

const COPY: &str = r#"set -e
if ! grep -qi '^ENABLED=yes' /etc/ufw/ufw.conf; then
	echo 'it is not enabled, so that none of its rules acts: `ufw enable` first' >&2
	exit 1
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -a /etc/ufw/. "$copy"
sed -i 's/^ENABLED=.*/ENABLED=no/' "$copy/ufw.conf"
mount --bind "$copy" /etc/ufw
others() {
	ufw show added | grep '^ufw ' | grep -v " comment 'timeball'\$" || true
}
"#;

const NONE_IS_LOST: &str = r#"
lost=$(others | grep -vxF -f - /etc/ufw/others || true)
if [ -n "$lost" ]; then
	printf '%s\n' 'these rules of yours are for the same packets as some of these, and it keeps one of both:' \
		"$lost" 'take them away (`ufw delete ...`), then try again; nothing was changed' >&2
	exit 1
fi
"#;

/// A script that lists those of our rules that stand in ufw's files but are not in force, as if somebody had
/// emptied a chain. A network of its own shows how they are listed when they are.
pub(in super::super) const NOT_LOADED: &str = r#"set -e
for version in '' 6; do
	if [ -n "$version" ] && ! grep -qi '^IPV6=.\{0,1\}yes' /etc/default/ufw; then
		continue
	fi
	program=ip${version}tables
	loaded=$($program -w -S)
	wanted=$({
		echo '*filter'
		for chain in before-input before-forward user-input user-output; do
			echo ":ufw$version-$chain - [0:0]"
		done
		sed -n '/^# timeball: begin$/,/^# timeball: end$/{/^-/p}' "/etc/ufw/before$version.rules"
		awk '/^###/ { ours = / comment=74696d6562616c6c$/ }
			ours && /^-/' "/etc/ufw/user$version.rules"
		echo COMMIT
	} | unshare --net sh -e -c "$program-restore; $program -S")
	printf '%s\n' "$wanted" | sed -n '/^-A/p' | while read -r rule; do
		printf '%s\n' "$loaded" | grep -qxF -e "$rule" || printf '%s\n' "$rule"
	done
done
"#;
