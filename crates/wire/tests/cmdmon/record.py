#!/usr/bin/env python3
"""Stands between chronyc and chronyd, and prints what each says to the other.

    record.py SOCKET CHRONYC VERSION
"""
import os
import socket
import subprocess
import sys
import threading

COMMANDS = """
tracking
sources -a
sourcestats -a
sourcename 192.0.2.1
selectdata -a
authdata -a
ntpdata 192.0.2.1
ntpdata
activity
serverstats
clients
clients -r -p 1 -k
smoothing
rtcdata
manual list
accheck 192.0.2.7
accheck 198.51.100.7
cmdaccheck 127.0.0.1
online
offline 255.255.255.0/192.0.2.0
online 192.0.2.1
offline 192.0.2.9
onoffline
burst 2/4
burst 1/1 192.0.2.1
minpoll 192.0.2.1 3
maxpoll 192.0.2.1 9
maxdelay 192.0.2.1 0.5
maxdelayratio 192.0.2.1 2.5
maxdelaydevratio 192.0.2.1 12.25
minstratum 192.0.2.1 2
polltarget 192.0.2.1 12
offset 192.0.2.1 -0.125
selectopts 192.0.2.1 +prefer -trust
maxupdateskew 100
makestep 0.1 3
makestep
reselect
reselectdist 0.001
local stratum 9 distance 0.5 orphan
local stratum 8 activate 0.25 waitsynced 10 waitunsynced 20
local off
smoothtime activate
smoothtime reset
dfreq -0.5
doffset 0.000001
settime now
manual list
manual delete 0
manual delete 5
manual reset
manual off
settime now
allow 192.0.2.0/24
allow all 2001:db8::/32
deny 192.0.2.3
deny all
cmdallow 192.0.2.0/24
cmdallow all
cmddeny 192.0.2.3
cmddeny all 2001:db8::/32
add server 192.0.2.3 minpoll 4 maxpoll 8 iburst prefer maxdelay 0.25 offset -0.5 polltarget 16
add peer 192.0.2.4 port 1123 version 3 minsamples 8 maxsamples 32 asymmetry 0.25 filter 5
add pool no-such-pool.example maxsources 3 presend 9 minstratum 2 mindelay 0.0001 trust require
add server 192.0.2.3
delete 192.0.2.3
delete 192.0.2.99
refresh
rekey
reload sources
reset sources
trimrtc
writertc
cyclelogs
dump
shutdown
""".split("\n")


def relay(client_side, daemon_side, path, lines):
    """Each request on, each reply back."""
    while True:
        request, client = client_side.recvfrom(4096)
        if not client:
            continue
        daemon_side.sendto(request, path)
        reply = daemon_side.recv(4096)
        lines.append("request " + request.hex())
        lines.append("reply " + reply.hex())
        client_side.sendto(reply, client)


def main():
    path, chronyc, version = sys.argv[1:]
    folder = os.path.dirname(path)
    client_side = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client_side.bind(folder + "/relay")
    daemon_side = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon_side.bind(folder + "/relay-to-daemon")
    lines = []
    threading.Thread(
        target=relay, args=(client_side, daemon_side, path, lines), daemon=True).start()
    print(f"# {version}")
    print("# Captured by capture.sh; below each command what chronyc -c prints.")
    for command in filter(None, COMMANDS):
        output = subprocess.run(
            [chronyc, "-c", "-n", "-h", folder + "/relay", *command.split()],
            capture_output=True, text=True).stdout
        if not lines:
            continue  # Not a command of this version.
        print(f"\ncommand {command}")
        for line in output.splitlines():
            print(f"prints {line}")
        print("\n".join(lines))
        lines.clear()


main()
