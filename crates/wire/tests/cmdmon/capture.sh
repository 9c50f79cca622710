#!/bin/bash
# Captures what chronyc and chronyd say to each other, every command once:
#
#   sudo ./capture.sh CHRONYD CHRONYC >NAME.txt
#
# Needs: iproute2, util-linux, python3. The user that chronyd was built for is not needed.
#
# Nothing in here can touch the clock of this machine: everything runs without CAP_SYS_TIME, which
# is checked before the first program starts. Nothing can leave it either: the namespace has no way
# out.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if [ "${1-}" != --inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    setpriv --bounding-set -sys_time --inh-caps -sys_time \
        unshare --mount --net --pid --fork --kill-child --mount-proc \
        "$0" --inside "$work" "$(realpath "$1")" "$(realpath "$2")"
    exit
fi

work=$2 chronyd=$3 chronyc=$4
bounding=$(sed -n 's/^CapBnd:\s*//p' /proc/self/status)
if (((0x$bounding >> 25) & 1)); then
    echo "refusing to start: CAP_SYS_TIME is still there" >&2
    exit 1
fi

ip link set lo up
ip address add 192.0.2.1/24 dev lo
ip address add 192.0.2.2/24 dev lo
mount --bind /dev/null /etc/resolv.conf
export LC_ALL=C TZ=UTC
cd "$work"
mkdir -m 770 run

# Two servers on one address each, and the daemon that is asked.
serve() {
    "$chronyd" -x -d -u root 'local stratum 1' 'allow' "bindaddress $1" 'cmdport 0' \
        "bindcmdaddress /" "pidfile $work/$1.pid" 2>>log &
}
serve 192.0.2.1
serve 192.0.2.2
sleep 1
cat >chrony.conf <<C
server 192.0.2.1 iburst minpoll 2 xleave
server 192.0.2.2 iburst minpoll 2 noselect
server no-such-name.example
allow 192.0.2.0/24
allow 127.0.0.0/8
bindaddress 127.0.0.1
smoothtime 400 0.01
manual
cmdport 0
bindcmdaddress $work/run/chronyd.sock
pidfile $work/run/chronyd.pid
C
"$chronyd" -x -d -u root -f "$work/chrony.conf" 2>>log &
sleep 30
# One client for its log.
"$chronyd" -Q -x -u root -t 5 'server 127.0.0.1 iburst maxsamples 1' "pidfile $work/query.pid" \
    'cmdport 0' 'bindcmdaddress /' >>log 2>&1 || true

exec python3 "$here/record.py" "$work/run/chronyd.sock" "$chronyc" "$("$chronyd" --version)"
