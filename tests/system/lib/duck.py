"""DuckDB in this process: the peer that answers are compared with, over the same Parquet files. The
engine's own library (the npm package that the build links), through its C interface.

    duck = Duck(); duck.table("t", [files]); duck.rows("SELECT ...")

Values come as Python's: NULL as None, whole numbers as int, DECIMAL and HUGEINT as they compare best
(int, or float), dates and times as ISO text, everything else as the engine's text."""

import ctypes
import functools
import math

from lib.quarry import ROOT

LIBRARY = ROOT / "node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"

BOOLEAN, FLOAT, DOUBLE, TIMESTAMP, DATE, HUGEINT, DECIMAL = 1, 10, 11, 12, 13, 16, 19
INTEGERS = {2, 3, 4, 5, 6, 7, 8, 9, HUGEINT, 32}


class _Result(ctypes.Structure):
    _fields_ = [("columns", ctypes.c_uint64), ("rows", ctypes.c_uint64), ("changed", ctypes.c_uint64),
                ("names", ctypes.c_void_p), ("error", ctypes.c_char_p), ("internal", ctypes.c_void_p)]


@functools.cache
def _library():
    lib = ctypes.CDLL(str(LIBRARY))
    place = [ctypes.POINTER(_Result), ctypes.c_uint64, ctypes.c_uint64]
    lib.duckdb_value_varchar.restype = ctypes.c_void_p
    lib.duckdb_value_varchar.argtypes = place
    lib.duckdb_value_is_null.restype = ctypes.c_bool
    lib.duckdb_value_is_null.argtypes = place
    lib.duckdb_free.argtypes = [ctypes.c_void_p]
    lib.duckdb_column_type.argtypes = place[:2]
    lib.duckdb_row_count.restype = lib.duckdb_column_count.restype = ctypes.c_uint64
    lib.duckdb_result_error.restype = ctypes.c_char_p
    lib.duckdb_query.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(_Result)]
    return lib


def _number(text):
    value = float(text)
    return value if math.isfinite(value) else None


def _timestamp(text):
    """As Quarry writes them: no fraction, or six digits."""
    whole, point, fraction = text.replace(" ", "T").partition(".")
    return whole + (point + fraction.ljust(6, "0") if point else "")


_READERS = {BOOLEAN: lambda text: text == "true", FLOAT: _number, DOUBLE: _number,
            TIMESTAMP: _timestamp, DECIMAL: lambda text: float(text) if "." in text else int(text)}
_READERS.update({kind: int for kind in INTEGERS})


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


class DuckError(Exception):
    pass


class Duck:
    """One database in memory with one connection: for one thread."""

    def __init__(self, threads=2):
        self.lib = _library()
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.lib.duckdb_open(None, ctypes.byref(self.database)) == 0
        assert self.lib.duckdb_connect(self.database, ctypes.byref(self.connection)) == 0
        self.run(f"SET threads = {threads}; SET TimeZone = 'UTC'")

    def close(self):
        self.lib.duckdb_disconnect(ctypes.byref(self.connection))
        self.lib.duckdb_close(ctypes.byref(self.database))

    def table(self, name, files):
        """A view over the files, as a user would make it."""
        listed = ", ".join(literal(file) for file in files)
        self.run(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM '
                 f"read_parquet([{listed}], hive_partitioning = false)")

    def _query(self, sql):
        result = _Result()
        if self.lib.duckdb_query(self.connection, sql.encode(), ctypes.byref(result)) != 0:
            message = self.lib.duckdb_result_error(ctypes.byref(result)).decode()
            self.lib.duckdb_destroy_result(ctypes.byref(result))
            raise DuckError(message)
        return result

    def run(self, sql):
        """Runs to the end and forgets the rows."""
        result = self._query(sql)
        self.lib.duckdb_destroy_result(ctypes.byref(result))

    def rows(self, sql):
        result = self._query(sql)
        place = ctypes.byref(result)
        try:
            kinds = [self.lib.duckdb_column_type(place, c)
                     for c in range(self.lib.duckdb_column_count(place))]
            return [[self._value(place, column, row, kind) for column, kind in enumerate(kinds)]
                    for row in range(self.lib.duckdb_row_count(place))]
        finally:
            self.lib.duckdb_destroy_result(place)

    def _value(self, place, column, row, kind):
        if self.lib.duckdb_value_is_null(place, column, row):
            return None
        text = self.lib.duckdb_value_varchar(place, column, row)
        if not text:
            raise DuckError("lists and structs are not read here: cast them to VARCHAR")
        try:
            value = ctypes.string_at(text).decode()
        finally:
            self.lib.duckdb_free(text)
        return _READERS.get(kind, str)(value)


# --- comparing ---

def _order(row):
    """Rows are put in order by what does not depend on how doubles were added up."""
    return ([str(value) for value in row if not isinstance(value, float)],
            [f"{value + 0.0:.6g}" for value in row if isinstance(value, float)])


def _same_value(a, b, tolerance):
    if isinstance(a, bool) or isinstance(b, bool) or not (
            isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return a == b
    return a == b or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def same_row_lists(ours, theirs, tolerance=1e-9):
    """Whether both are the same rows in the same order."""
    return len(ours) == len(theirs) and all(
        len(a) == len(b) and all(_same_value(x, y, tolerance) for x, y in zip(a, b))
        for a, b in zip(ours, theirs))


def same_rows(ours, theirs, tolerance=1e-9):
    """Whether both are the same rows in any order; numbers but for the rounding of sums."""
    return same_row_lists(sorted(ours, key=_order), sorted(theirs, key=_order), tolerance)
