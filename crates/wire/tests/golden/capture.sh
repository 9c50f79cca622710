#!/bin/bash
# Captures the golden packets beside this file anew: Debian's NTP programs talk to each other in two
# network namespaces, and every datagram becomes a line of hexadecimal digits.
#
#   sudo ./capture.sh [FOLDER]      (default: the folder of this script)
#
# Needs: Debian 12 with apt sources, iproute2, util-linux, tcpdump, tshark, openssl, gcc, python3.
#
# Nothing in here can touch the clock of this machine: everything runs without CAP_SYS_TIME, which
# is checked before the first peer starts. Nothing can leave it either: the namespaces have no way
# out.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if [ "${1-}" != --inside ]; then
    folder=$(realpath "${1-$here}")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"

    # The packages conflict with each other, so they are unpacked side by side, not installed.
    (cd "$work" && apt-get download chrony ntpsec ntpsec-ntpdig python3-ntp openntpd rdate)
    for package in "$work"/*.deb; do
        name=$(basename "$package")
        dpkg-deb -x "$package" "$work/${name%%_*}"
    done

    # A process id namespace takes every peer with it when the script ends.
    setpriv --bounding-set -sys_time --inh-caps -sys_time \
        unshare --mount --net --pid --fork --kill-child --mount-proc \
        "$0" --inside "$work" "$folder"
    exit
fi

work=$2
folder=$3

# --- Safety -------------------------------------------------------------------------------------

bounding=$(sed -n 's/^CapBnd:\s*//p' /proc/self/status)
if (((0x$bounding >> 25) & 1)); then
    echo "refusing to start: CAP_SYS_TIME is still there" >&2
    exit 1
fi

# --- Two hosts and a wire -------------------------------------------------------------------------

mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip netns add client
ip link set lo up
ip link add wire type veth peer name wire netns client
ip addr add 192.0.2.1/24 dev wire
ip addr add 2001:db8::1/64 dev wire nodad
ip link set wire up
ip -n client link set lo up
ip -n client addr add 192.0.2.2/24 broadcast 192.0.2.255 dev wire
ip -n client addr add 2001:db8::2/64 dev wire nodad
ip -n client link set wire up

# openntpd insists on a user of its own.
{ cat /etc/passwd; echo "ntpd:x:64999:64999::$work/empty:/usr/sbin/nologin"; } >"$work/passwd"
{ cat /etc/group; echo "ntpd:x:64999:"; } >"$work/group"
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group
mkdir -p "$work/empty" "$work/run"
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/openntpd/db /var/lib/openntpd/run
# Nobody is to wait for name servers that cannot be reached.
mount --bind /dev/null /etc/resolv.conf

# openntpd serves time only after the kernel has taken an adjustment from it, which it is not
# allowed to make here: this stands in for the kernel and does nothing.
cat >"$work/adjtime.c" <<'C'
#include <string.h>
#include <sys/time.h>
int adjtime(const struct timeval *delta, struct timeval *old) {
    (void)delta;
    if (old) memset(old, 0, sizeof *old);
    return 0;
}
C
gcc -shared -fPIC -o "$work/adjtime.so" "$work/adjtime.c"

# --- Programs and configurations -------------------------------------------------------------------

chronyd=$work/chrony/usr/sbin/chronyd
ntpsec=$work/ntpsec/usr/sbin/ntpd
openntpd=$work/openntpd/usr/sbin/ntpd
ntpctl=$work/openntpd/usr/sbin/ntpctl
ntpq=$work/ntpsec/usr/bin/ntpq
ntpdig=$work/ntpsec-ntpdig/usr/bin/ntpdig
rdate=$(find "$work/rdate" -type f -name rdate -perm -u+x)
export PYTHONPATH=$work/python3-ntp/usr/lib/python3/dist-packages
cp -P "$work"/python3-ntp/usr/lib/*/ntp/libntpc.so* "$PYTHONPATH/ntp/"
export LC_ALL=C TZ=UTC
cd "$work"

cat >chrony.keys <<'C'
1 MD5 ASCII:timeball-md5
2 SHA1 HEX:0102030405060708090a0b0c0d0e0f1011121314
3 AES128 HEX:2b7e151628aed2a6abf7158809cf4f3c
4 SHA256 ASCII:timeball-sha256
5 SHA512 ASCII:timeball-sha512
C
cat >chrony-wrong.keys <<'C'
2 SHA1 ASCII:some-other-sha1-key
C
cat >ntpsec.keys <<'C'
1 MD5 timeball-md5
2 SHA1 0102030405060708090a0b0c0d0e0f1011121314
3 AES 2b7e151628aed2a6abf7158809cf4f3c
C
chmod 600 ./*.keys

cat >server-chrony.conf <<'C'
local stratum 1
allow
keyfile chrony.keys
cmdport 0
pidfile run/chronyd-server.pid
C
cat >server-chrony-unsynchronised.conf <<'C'
allow
cmdport 0
pidfile run/chronyd-server.pid
C
cat >server-chrony-nts.conf <<'C'
local stratum 3
allow
cmdport 0
pidfile run/chronyd-server.pid
ntsserverkey server.key
ntsservercert server.crt
C
cat >server-chrony-broadcast.conf <<'C'
local stratum 5
allow
cmdport 0
pidfile run/chronyd-server.pid
broadcast 1 192.0.2.2
C
cat >server-chrony-peer.conf <<'C'
local stratum 4
allow
cmdport 0
keyfile chrony.keys
pidfile run/chronyd-server.pid
peer 192.0.2.2 minpoll 0 maxpoll 0 key 3
C
cat >client-chrony-peer.conf <<'C'
local stratum 6
allow
cmdport 0
keyfile chrony.keys
pidfile run/chronyd-client.pid
peer 192.0.2.1 minpoll 0 maxpoll 0 key 3
C
cat >server-ntpsec.conf <<'C'
refclock local stratum 1 minpoll 3 maxpoll 3 prefer
keys ntpsec.keys
trustedkey 1 2 3
controlkey 3
restrict default noquery
restrict 192.0.2.0/24
C
cat >server-ntpsec-unsynchronised.conf <<'C'
restrict default
C
cat >server-ntpsec-kod.conf <<'C'
refclock local stratum 1 minpoll 3 maxpoll 3 prefer
restrict default limited kod
limit average 0.1 burst 1 kod 1
C
cat >client-ntpsec.conf <<'C'
server 192.0.2.1 iburst
server 2001:db8::1 iburst
C
cat >client-ntpsec-key.conf <<'C'
keys ntpsec.keys
trustedkey 2
server 192.0.2.1 iburst key 2
C
cat >server-openntpd.conf <<'C'
listen on 192.0.2.1
listen on 2001:db8::1
servers 192.0.2.2
C
cat >client-openntpd.conf <<'C'
servers 192.0.2.1
C
cat >upstream-chrony.conf <<'C'
local stratum 2
allow
port 123
cmdport 0
pidfile run/chronyd-upstream.pid
C

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -keyout server.key -out server.crt -subj /CN=ntp.example \
    -addext subjectAltName=IP:192.0.2.1,DNS:ntp.example 2>/dev/null
chmod 600 server.key

# --- Tools of the trade ---------------------------------------------------------------------------

server=
server_command=
failed=
start_server() { # TITLE COMMAND...
    stop_server
    server_command="$1"
    shift
    "$@" >server.log 2>&1 &
    server=$!
    sleep 3
    kill -0 $server || { cat server.log >&2; exit 1; }
}
stop_server() {
    [ -z "$server" ] || { kill $server; wait $server || true; }
    server=
}

in_client() { ip netns exec client "$@"; }

# To and from port 123 of the server; not what a server asks others.
served='udp and ((dst port 123 and (dst host 192.0.2.1 or dst host 2001:db8::1)) or
    (src port 123 and (src host 192.0.2.1 or src host 2001:db8::1)))'

# Runs a client (its exit status does not matter: some are meant to fail) and keeps the first
# packets that the server receives and sends.
capture() { # NAME MOST TITLE COMMAND...
    local name=$1 most=$2 title=$3
    shift 3
    in_client tcpdump -i wire -U -w "$name.pcap" "$served" 2>tcpdump.log &
    local tcpdump=$!
    until grep -q 'listening on' tcpdump.log; do
        kill -0 $tcpdump || { cat tcpdump.log >&2; exit 1; }
        sleep 0.1
    done
    in_client "$@" >client.log 2>&1 || true
    sleep 1
    kill $tcpdump
    wait $tcpdump || true
    python3 "$here/pcap_to_hex.py" "$name.pcap" "$most" "$server_command" "$title" \
        >"$work/$name.hex" || { cat client.log server.log >&2; failed+=" $name"; return; }
    cp "$work/$name.hex" "$folder/"
    echo "$name: $(grep -c '^packet' "$folder/$name.hex") packets"
}

# A chronyd that asks once and never touches the clock.
chrony_client() { # NAME MOST SOURCE [DIRECTIVE]
    local name=$1 most=$2 source=$3 directive=${4-}
    local shown=("$source")
    [ -z "$directive" ] || shown+=("$directive")
    local quoted
    quoted=$(printf " '%s'" "${shown[@]}")
    capture "$name" "$most" "chronyd -Q -t 8$quoted" \
        "$chronyd" -Q -u root -t 8 "${shown[@]}" 'cmdport 0' "pidfile run/chronyd-client.pid"
}

# --- chronyd serves -------------------------------------------------------------------------------

start_server "chronyd -x: local stratum 1, keys" "$chronyd" -d -x -u root -f "$work/server-chrony.conf"
chrony_client chrony-v4 2 'server 192.0.2.1 iburst maxsamples 1'
chrony_client chrony-v4-ipv6 2 'server 2001:db8::1 iburst maxsamples 1'
chrony_client chrony-v3 2 'server 192.0.2.1 iburst maxsamples 1 version 3'
chrony_client chrony-v2 2 'server 192.0.2.1 iburst maxsamples 1 version 2'
chrony_client chrony-v1 2 'server 192.0.2.1 iburst maxsamples 1 version 1'
chrony_client chrony-md5 2 'server 192.0.2.1 iburst maxsamples 1 key 1' 'keyfile chrony.keys'
chrony_client chrony-sha1 2 'server 192.0.2.1 iburst maxsamples 1 key 2' 'keyfile chrony.keys'
chrony_client chrony-cmac 2 'server 192.0.2.1 iburst maxsamples 1 key 3' 'keyfile chrony.keys'
chrony_client chrony-sha256-v4 2 'server 192.0.2.1 iburst maxsamples 1 version 4 key 4' 'keyfile chrony.keys'
chrony_client chrony-sha256-v3 2 'server 192.0.2.1 iburst maxsamples 1 version 3 key 4' 'keyfile chrony.keys'
chrony_client chrony-sha512-v3 2 'server 192.0.2.1 iburst maxsamples 1 version 3 key 5' 'keyfile chrony.keys'
chrony_client chrony-interleaved 4 'server 192.0.2.1 iburst xleave'
chrony_client chrony-experimental-field 2 'server 192.0.2.1 iburst maxsamples 1 extfield F323'
capture chrony-ntpdig 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1
capture chrony-ntpdig-sha1 2 'ntpdig -k ntpsec.keys -a 2 192.0.2.1' \
    "$ntpdig" -k ntpsec.keys -a 2 192.0.2.1
capture chrony-rdate 2 'rdate -n -p 192.0.2.1' "$rdate" -n -p 192.0.2.1
capture chrony-ntpsec-client 4 'ntpd -n (ntpsec): server … iburst, IPv4 and IPv6' \
    timeout 6 "$ntpsec" -n -c client-ntpsec.conf
capture chrony-ntpsec-client-sha1 2 'ntpd -n (ntpsec): server … iburst key 2' \
    timeout 6 "$ntpsec" -n -c client-ntpsec-key.conf
capture chrony-openntpd-client 2 'ntpd -d (openntpd): servers 192.0.2.1' \
    timeout 8 "$openntpd" -d -f client-openntpd.conf

start_server "chronyd -x: nothing to serve" \
    "$chronyd" -d -x -u root -f "$work/server-chrony-unsynchronised.conf"
capture chrony-unsynchronised 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1

start_server "chronyd -x: broadcast" "$chronyd" -d -x -u root -f "$work/server-chrony-broadcast.conf"
capture chrony-broadcast 1 'sleep 4' sleep 4

start_server "chronyd -x: peer 192.0.2.2 key 3" \
    "$chronyd" -d -x -u root -f "$work/server-chrony-peer.conf"
capture chrony-symmetric 4 'chronyd -x: peer 192.0.2.1 key 3' \
    timeout 6 "$chronyd" -d -x -u root -f "$work/client-chrony-peer.conf"

start_server "chronyd -x: NTS" "$chronyd" -d -x -u root -f "$work/server-chrony-nts.conf"
chrony_client chrony-nts 4 'server 192.0.2.1 iburst nts' 'ntstrustedcerts server.crt'

# --- ntpd of NTPsec serves ------------------------------------------------------------------------

start_server "ntpd -n (ntpsec): refclock local stratum 1, keys" "$ntpsec" -n -c server-ntpsec.conf
sleep 12
chrony_client ntpsec-v4 2 'server 192.0.2.1 iburst maxsamples 1'
chrony_client ntpsec-v3 2 'server 192.0.2.1 iburst maxsamples 1 version 3'
chrony_client ntpsec-v1 2 'server 192.0.2.1 iburst maxsamples 1 version 1'
chrony_client ntpsec-md5 2 'server 192.0.2.1 iburst maxsamples 1 key 1' 'keyfile chrony.keys'
chrony_client ntpsec-cmac 2 'server 192.0.2.1 iburst maxsamples 1 key 3' 'keyfile chrony.keys'
# Refused without a word.
chrony_client ntpsec-wrong-key 1 'server 192.0.2.1 iburst maxsamples 1 key 2' 'keyfile chrony-wrong.keys'
capture ntpsec-ntpdig 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1
capture ntpsec-openntpd-client 2 'ntpd -d (openntpd): servers 192.0.2.1' \
    timeout 8 "$openntpd" -d -f client-openntpd.conf
capture ntpsec-ntpq-readvar 4 "ntpq -n -c rv 192.0.2.1" "$ntpq" -n -c rv 192.0.2.1
capture ntpsec-ntpq-peers 6 "ntpq -n -p 192.0.2.1" "$ntpq" -n -p 192.0.2.1
capture ntpsec-ntpq-mrulist 4 "ntpq -n -c mrulist 192.0.2.1" "$ntpq" -n -c mrulist 192.0.2.1

start_server "ntpd -n (ntpsec): nothing to serve" "$ntpsec" -n -c server-ntpsec-unsynchronised.conf
capture ntpsec-unsynchronised 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1

start_server "ntpd -n (ntpsec): restrict default limited kod" "$ntpsec" -n -c server-ntpsec-kod.conf
sleep 10
capture ntpsec-rate-kiss 8 'ntpdig 192.0.2.1, four times' \
    sh -c "for i in 1 2 3 4; do '$ntpdig' 192.0.2.1; done"

# --- ntpd of OpenBSD serves -----------------------------------------------------------------------

start_server "ntpd -d (openntpd): listen on 192.0.2.1, not synchronised" \
    "$openntpd" -d -f server-openntpd.conf
capture openntpd-unsynchronised 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1

in_client "$chronyd" -d -x -u root -f "$work/upstream-chrony.conf" >upstream.log 2>&1 &
upstream=$!
# openntpd that finds nobody at first asks again after an hour.
sleep 2
start_server "ntpd -d (openntpd): listen on 192.0.2.1, synchronised to a chronyd (local stratum 2)" \
    env LD_PRELOAD="$work/adjtime.so" "$openntpd" -d -f server-openntpd.conf
# It wants several good answers and two adjustments first.
for _ in $(seq 300); do
    "$ntpctl" -s status 2>&1 | grep -q 'clock synced' && break
    sleep 1
done
kill $upstream
wait $upstream || true
chrony_client openntpd-v4 2 'server 192.0.2.1 iburst maxsamples 1'
chrony_client openntpd-v4-ipv6 2 'server 2001:db8::1 iburst maxsamples 1'
capture openntpd-ntpdig 2 'ntpdig 192.0.2.1' "$ntpdig" 192.0.2.1
stop_server

[ -z "$failed" ] || { echo "nothing captured for:$failed" >&2; exit 1; }
