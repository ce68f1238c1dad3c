"""LanceDB's REST client is put off, and there when somebody wants it."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
from polyglance.search.deferred_rest import CLIENT, import_lancedb

lancedb = import_lancedb()
assert import_lancedb() is lancedb is sys.modules["lancedb"]
from lance_namespace_urllib3_client import TableApi

put_off = sys.modules[f"{CLIENT}.api.table_api"]
assert put_off.TableApi.__init__ is object.__init__
made = TableApi()
assert type(made).__module__ == f"{CLIENT}.api.table_api"
assert callable(made.create_table)
assert sys.modules[f"{CLIENT}.api.table_api"] is not put_off
assert type(TableApi()) is type(made)
"""


def test_classes_are_made_when_called() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)


def test_who_imported_lancedb_before_keeps_it() -> None:
    check = (
        "import lancedb, sys\n"
        "from polyglance.search.deferred_rest import import_lancedb\n"
        "before = dict(sys.modules)\n"
        "assert import_lancedb() is lancedb\n"
        "assert before == sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
