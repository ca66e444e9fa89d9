"""A service's journal folder into its records, and the damage that a storm does to it.

Reads the files by their description (services/lib/journal/src/record.rs and segment.rs) and shares no code with the
services. Closed segments must be plain: the storm switches their compression off.
"""

import os
import struct
import zlib

MARKER = b"\xf5sjr"
SEGMENT_HEADER, RECORD_HEADER = 48, 44
FRAME, NOTE = 1, 2


def segments(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".journal")) if os.path.isdir(folder) else []
    return [(int(name.split(".")[0]), os.path.join(folder, name)) for name in names]


def records(number, data):
    """Whole records of a segment: begin, end, kind, connection_id, sequence, received_ns, payload. Damage is passed."""
    at = SEGMENT_HEADER
    while at + RECORD_HEADER <= len(data):
        header = data[at:at + RECORD_HEADER]
        found = None
        if header[:4] == MARKER:
            length, kind = struct.unpack_from("<IB", header, 4)
            connection, sequence, received, body_sum, head_sum = struct.unpack_from("<qQqII", header, 12)
            place = struct.pack("<QQ", number, at)
            if zlib.crc32(place + header[:40]) == head_sum and at + RECORD_HEADER + length <= len(data):
                body = data[at + RECORD_HEADER:at + RECORD_HEADER + length]
                if zlib.crc32(body) == body_sum:
                    found = (at, at + RECORD_HEADER + length, kind, connection, sequence, received, body)
        if found:
            yield found
            at = found[1]
        else:
            at = data.find(MARKER, at + 1)
            if at < 0:
                return


def frames(folder):
    """Every frame that a journal holds: connection_id, sequence, received_ns."""
    for number, path in segments(folder):
        with open(path, "rb") as file:
            data = file.read()
        for _, _, kind, connection, sequence, received, _ in records(number, data):
            if kind == FRAME:
                yield connection, sequence, received


def last_segment(folder):
    """The newest segment's number, path and records."""
    found = segments(folder)
    if not found:
        return None
    number, path = found[-1]
    with open(path, "rb") as file:
        return number, path, list(records(number, file.read()))


def damage(folder, how, size, bits):
    """Cuts `size` bytes off the last segment, or flips bits in them. Returns the frames that no reader finds any more."""
    found = last_segment(folder)
    if found is None:
        return []
    number, path, before = found
    length = os.path.getsize(path)
    size = min(size, length - SEGMENT_HEADER)
    if size <= 0:
        return []
    with open(path, "r+b") as file:
        if how == "cut":
            file.truncate(length - size)
        else:
            for share in bits:
                at = length - size + int(share * (size - 1))
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ (1 << (at % 8))]))
    with open(path, "rb") as file:
        left = {(record[3], record[4]) for record in records(number, file.read()) if record[2] == FRAME}
    return [record[3:6] for record in before if record[2] == FRAME and (record[3], record[4]) not in left]
