"""The database: one SQLite file in the instance folder, made when it is first used."""

import sqlite3
from pathlib import Path

from flask import current_app, g


def connect():
    """The connection of this request."""
    if "db" not in g:
        folder = Path(current_app.instance_path)
        folder.mkdir(parents=True, exist_ok=True)
        g.db = sqlite3.connect(folder / "guestbook.sqlite")
        g.db.row_factory = sqlite3.Row
        if g.db.execute("PRAGMA user_version").fetchone()[0] == 0:
            with current_app.open_resource("schema.sql", "r") as schema:
                g.db.executescript(schema.read())
    return g.db


def close(error=None):
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()
