#!/usr/bin/env python3
"""Puts every golden packet into the corpora of the targets that read a datagram or a header, and
every configuration of the tests into that of `config`."""
import hashlib
import pathlib

fuzz = pathlib.Path(__file__).resolve().parent
goldens = fuzz.parent / "crates/wire/tests/golden"


def keep(target, data):
    folder = fuzz / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


for file in sorted(goldens.glob("*.hex")):
    for line in file.read_text().splitlines():
        if line and not line.startswith(("#", "packet ")):
            datagram = bytes.fromhex(line)
            keep("packet", datagram)
            keep("message", datagram)
            # The pivot that follows the header: 2036, in nanoseconds.
            keep("header", datagram[:48] + (2_085_978_496 * 10**9).to_bytes(8, "little"))

for file in sorted((goldens.parent / "cmdmon").glob("*.txt")):
    for line in file.read_text().splitlines():
        if line.startswith(("request ", "reply ")):
            keep("cmdmon", bytes.fromhex(line.split()[1]))

configurations = fuzz.parent / "crates/config/tests/malformed"
example = fuzz.parent / "packaging/timeball.toml"
keep("config", example.read_bytes())
keep("config", example.read_bytes().replace(b"\n#", b"\n"))
for file in configurations.glob("*.toml"):
    keep("config", file.read_bytes())

# As many fields as a packet may have, and one more: far for a fuzzer to find by itself.
client_header = bytes([0x23]) + bytes(47)
field = bytes([0x99, 0x99, 0, 16]) + bytes(12)
for count in (64, 65):
    datagram = client_header + count * field + bytes([0, 0, 0, 1]) + bytes(16)
    keep("packet", datagram)
    keep("message", datagram)
