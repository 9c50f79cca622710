#!/usr/bin/env python3
"""Turns a capture into a golden file: a header that says how it was made, then for every datagram
a line with what tshark reads in it and a line with its bytes.

    pcap_to_hex.py CAPTURE MOST SERVER CLIENT
"""
import datetime
import subprocess
import sys

# What tshark knows under the left name is called by the right one in a golden file.
FIELDS = {
    "udp.srcport": "source_port",
    "udp.dstport": "destination_port",
    "ntp.flags.li": "leap",
    "ntp.flags.vn": "version",
    "ntp.flags.mode": "mode",
    "ntp.stratum": "stratum",
    "ntp.ppoll": "poll",
    "ntp.precision": "precision",
    "ntp.rootdelay": "root_delay",
    "ntp.rootdispersion": "root_dispersion",
    "ntp.refid": "reference_id",
    "ntp.reftime": "reference",
    "ntp.org": "origin",
    "ntp.rec": "receive",
    "ntp.xmt": "transmit",
    "ntp.ext.type": "field_types",
    "ntp.ext.length": "field_lengths",
    "ntp.keyid": "key_id",
    "ntp.mac": "digest",
    "ntp.ctrl.flags2.opcode": "opcode",
    "udp.payload": "payload",
}


TIMES = ("reference", "origin", "receive", "transmit")


def iso(time):
    """Nov 22, 2026 03:51:06.130746282 UTC, as ISO 8601 writes it."""
    if time == "NULL":
        return "unknown"
    seconds, fraction = time.removesuffix(" UTC").split(".")
    moment = datetime.datetime.strptime(seconds, "%b %d, %Y %H:%M:%S")
    return f"{moment.isoformat()}.{fraction}Z"


def main():
    capture, most, server, client = sys.argv[1:]
    columns = [option for field in FIELDS for option in ("-e", field)]
    table = subprocess.run(
        ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "aggregator=+", *columns],
        check=True, capture_output=True, text=True,
    ).stdout
    rows = [line.split("\t") for line in table.splitlines()][: int(most)]
    if not rows:
        sys.exit(f"no packets in {capture}")
    print(f"# server: {server}")
    print(f"# client: {client}")
    print("# Captured by capture.sh; the values in the packet lines are tshark's reading.")
    for row in rows:
        values = dict(zip(FIELDS.values(), row))
        payload = values.pop("payload")
        for name in TIMES:
            if values[name]:
                values[name] = iso(values[name])
        shown = [f"{name}={value}" for name, value in values.items() if value]
        print("\npacket " + " ".join(shown))
        print(payload)


main()
