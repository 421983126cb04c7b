#!/usr/bin/env python3
"""Draws falcon-agent.ico beside this file: a falcon with spread wings on a blue ground. Nothing but Python is needed.

Each size is drawn by itself from the same outline, every pixel from 64 samples. 16 px is a bitmap; the others are PNGs, which
Windows has read in icons since Vista, and a third of the size.
"""

import pathlib
import struct
import zlib

GROUND = (0x1D, 0x5C, 0x8A)
BIRD = (0xFF, 0xFF, 0xFF)
# Of a side of 1: wings, head and tail, clockwise from the tip of the left wing.
OUTLINE = [
    (0.08, 0.30), (0.24, 0.27), (0.40, 0.36), (0.455, 0.30), (0.50, 0.22), (0.545, 0.30), (0.60, 0.36), (0.76, 0.27),
    (0.92, 0.30), (0.82, 0.36), (0.75, 0.46), (0.65, 0.55), (0.56, 0.59), (0.60, 0.80), (0.50, 0.74), (0.40, 0.80),
    (0.44, 0.59), (0.35, 0.55), (0.25, 0.46), (0.18, 0.36),
]
CORNER = 0.18
SAMPLES = 8


def in_bird(x, y):
    inside = False
    for (ax, ay), (bx, by) in zip(OUTLINE, OUTLINE[1:] + OUTLINE[:1]):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


def in_ground(x, y):
    dx, dy = max(CORNER - x, x - 1 + CORNER, 0), max(CORNER - y, y - 1 + CORNER, 0)
    return dx * dx + dy * dy <= CORNER * CORNER


def pixel(size, column, row):
    """Red, green, blue, alpha."""
    ground = bird = 0
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            x, y = (column + (i + 0.5) / SAMPLES) / size, (row + (j + 0.5) / SAMPLES) / size
            if in_ground(x, y):
                ground += 1
                bird += in_bird(x, y)
    if ground == 0:
        return (0, 0, 0, 0)
    mix = [(b * bird + g * (ground - bird)) // ground for g, b in zip(GROUND, BIRD)]
    return (*mix, ground * 255 // SAMPLES**2)


def bitmap(size, rows):
    header = struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 0, 0, 0, 0, 0)
    colours = b"".join(bytes((b, g, r, a)) for row in reversed(rows) for r, g, b, a in row)
    mask = bytes((size + 31) // 32 * 4) * size
    return header + colours + mask


def png(size, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # Every line as the difference to the line above, which is nearly always 0 here.
    lines = bytearray()
    before = [(0, 0, 0, 0)] * size
    for row in rows:
        lines.append(2)
        for now, above in zip(row, before):
            lines += bytes((n - b) & 0xFF for n, b in zip(now, above))
        before = row
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(lines), 9)) + chunk(b"IEND", b"")


def main():
    images = []
    for size in (16, 32, 48, 256):
        rows = [[pixel(size, column, row) for column in range(size)] for row in range(size)]
        images.append((size, bitmap(size, rows) if size == 16 else png(size, rows)))
    at = 6 + 16 * len(images)
    entries = b""
    for size, image in images:
        entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(image), at)
        at += len(image)
    file = struct.pack("<HHH", 0, 1, len(images)) + entries + b"".join(image for _, image in images)
    pathlib.Path(__file__).with_name("falcon-agent.ico").write_bytes(file)


main()
