"""A small reader of Arrow IPC streams, after the format's documents: columns as Python lists."""

import struct


class Table:
    """A FlatBuffers table."""

    def __init__(self, data, at):
        self.data, self.at = data, at
        self.vtable = at - struct.unpack_from("<i", data, at)[0]

    def place(self, field):
        size = struct.unpack_from("<H", self.data, self.vtable)[0]
        if 4 + 2 * field >= size:
            return None
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * field)[0]
        return self.at + offset if offset else None

    def number(self, field, form, default=0):
        at = self.place(field)
        if at is None:
            return default
        assert at % struct.calcsize(form) == 0, "alignment"
        return struct.unpack_from("<" + form, self.data, at)[0]

    def _follow(self, at):
        return at + struct.unpack_from("<I", self.data, at)[0]

    def table(self, field):
        return Table(self.data, self._follow(self.place(field)))

    def text(self, field):
        at = self._follow(self.place(field))
        length = struct.unpack_from("<I", self.data, at)[0]
        assert self.data[at + 4 + length] == 0
        return self.data[at + 4:at + 4 + length].decode()

    def tables(self, field):
        at = self._follow(self.place(field))
        count = struct.unpack_from("<I", self.data, at)[0]
        return [Table(self.data, self._follow(at + 4 + 4 * i)) for i in range(count)]

    def pairs(self, field):
        at = self._follow(self.place(field))
        count = struct.unpack_from("<I", self.data, at)[0]
        assert (at + 4) % 8 == 0, "alignment of structs"
        return [struct.unpack_from("<qq", self.data, at + 4 + 16 * i) for i in range(count)]


TYPES = {2: "int64", 3: "float64", 5: "utf8", 6: "bool", 8: "date32", 10: "timestamp"}


def messages(data):
    at = 0
    while True:
        mark, length = struct.unpack_from("<II", data, at)
        assert mark == 0xFFFFFFFF and at % 8 == 0
        if length == 0:
            assert at + 8 == len(data), "bytes behind the end"
            return
        head = data[at + 8:at + 8 + length]
        message = Table(head, struct.unpack_from("<I", head, 0)[0])
        body = message.number(3, "q")
        start = at + 8 + length
        assert start % 8 == 0 and body % 8 == 0
        yield message, data[start:start + body]
        at = start + body


def column(kind, rows, nulls, buffers, body):
    parts = [body[o:o + n] for o, n in buffers]
    valid = [not parts[0] or bool(parts[0][i // 8] >> (i % 8) & 1) for i in range(rows)]
    assert valid.count(False) == nulls
    if kind == "utf8":
        ends = struct.unpack(f"<{rows + 1}i", parts[1])
        values = [parts[2][ends[i]:ends[i + 1]].decode() for i in range(rows)]
    elif kind == "bool":
        values = [bool(parts[1][i // 8] >> (i % 8) & 1) for i in range(rows)]
    else:
        form = {"int64": "q", "float64": "d", "date32": "i", "timestamp": "q"}[kind]
        values = list(struct.unpack(f"<{rows}{form}", parts[1]))
    return [v if good else None for v, good in zip(values, valid)]


def read(data):
    """[(name, type)], {name: values}, number of record batches."""
    stream = messages(data)
    schema, body = next(stream)
    assert schema.number(1, "B") == 1 and not body
    fields = [(f.text(0), TYPES[f.number(2, "B")]) for f in schema.table(2).tables(1)]
    found, batches = {name: [] for name, _ in fields}, 0
    for message, body in stream:
        assert message.number(1, "B") == 3
        batch = message.table(2)
        nodes, buffers = batch.pairs(1), batch.pairs(2)
        for (name, kind), (rows, nulls) in zip(fields, nodes):
            assert rows == batch.number(0, "q")
            count = 3 if kind == "utf8" else 2
            found[name] += column(kind, rows, nulls, buffers[:count], body)
            buffers = buffers[count:]
        assert not buffers
        batches += 1
    return fields, found, batches
