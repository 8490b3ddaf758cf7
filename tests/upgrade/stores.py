"""The store of a recorded platform: made, looked into, saved."""

import json
import os
import shutil
import sqlite3
import subprocess
import uuid


class Postgres:
    def __init__(self, server):
        self.server, self.name = server, f"cloudfunc_upgrade_{os.getpid()}"
        self.psql(self.server, f"CREATE DATABASE {self.name} TEMPLATE template0")
        base, _, _ = server.rpartition("/")
        self.url = f"{base}/{self.name}"

    @staticmethod
    def psql(url, statement):
        command = ["psql", "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def rows(self, query):
        text = self.psql(self.url, f"SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM ({query}) t")
        return json.loads(text)

    def save(self, folder):
        command = ["pg_dump", "--no-owner", "--no-privileges", "--dbname", self.url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # Words that another version of psql may not know.
        unknown = ("\\restrict", "\\unrestrict", "SET transaction_timeout", "--")
        lines = [line for line in text.splitlines() if not line.startswith(unknown)]
        (folder / "store.sql").write_text("\n".join(line for line in lines if line) + "\n")

    def drop(self):
        self.psql(self.server, f"DROP DATABASE {self.name} WITH (FORCE)")


class Sqlite:
    def __init__(self, scratch):
        self.path = scratch / "store.db"
        self.url = f"sqlite:{self.path}"

    def rows(self, query):
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(query)]
        connection.close()
        for row in rows:
            row["id"] = str(uuid.UUID(bytes=row["id"]))
        return rows

    def save(self, folder):
        """The file itself, its log written into it: the log alone would be some megabytes."""
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copy(self.path, folder / "store.db")

    def drop(self):
        pass
