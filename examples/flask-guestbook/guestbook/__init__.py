"""A guestbook: sign up, log in, leave a few words and a picture."""

import os
import secrets
from pathlib import Path

from flask import Flask, flash, redirect, url_for

from guestbook import auth, db, entries


class Guestbook(Flask):
    """A Flask application that keeps what it must remember in its instance folder."""

    @property
    def secret_key(self):
        """SECRET_KEY of the environment, read when it is used, so that a new one counts at once. Without one, a
        key made by chance lies beside the database, for sessions must outlive a restart."""
        return os.environ.get("SECRET_KEY") or key_in(Path(self.instance_path) / "secret-key")


def key_in(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()


def create_app(instance_path=None):
    app = Guestbook(__name__, instance_path=instance_path)
    app.config.update(
        # With room for the form around a picture of 400 KB.
        MAX_CONTENT_LENGTH=420_000,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(entries.blueprint)
    app.teardown_appcontext(db.close)
    app.register_error_handler(413, too_large)
    return app


def too_large(error):
    flash("That is too large: a picture may have 400 KB.")
    return redirect(url_for("entries.index"), 303)
