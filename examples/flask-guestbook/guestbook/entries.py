"""The guestbook itself."""

import secrets
from pathlib import Path

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, send_from_directory, url_for

from guestbook import db
from guestbook.auth import login_required

blueprint = Blueprint("entries", __name__)

#: Entries on the page.
SHOWN = 50

#: What a picture's file begins with, and what its name ends in.
PICTURES = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF87a": ".gif", b"GIF89a": ".gif"}


@blueprint.get("/")
def index():
    entries = db.connect().execute(
        "SELECT entry.*, user.name FROM entry JOIN user ON user.id = entry.user ORDER BY entry.id DESC LIMIT ?", (SHOWN,)
    )
    return render_template("index.html", entries=entries.fetchall())


@blueprint.post("/entries")
@login_required
def post():
    text = request.form.get("text", "").strip()
    file = request.files.get("picture")
    if not 1 <= len(text) <= 2000:
        flash("Write something, up to 2000 characters.")
        return redirect(url_for("entries.index"), 303)
    picture = None
    if file is not None and file.filename:
        picture = keep(file)
        if picture is None:
            flash("A picture is a PNG, JPEG or GIF file.")
            return redirect(url_for("entries.index"), 303)
    connection = db.connect()
    with connection:
        connection.execute("INSERT INTO entry (user, text, picture) VALUES (?, ?, ?)", (g.user["id"], text, picture))
    flash("Thank you for writing.")
    return redirect(url_for("entries.index"), 303)


@blueprint.get("/pictures/<name>")
def picture(name):
    response = send_from_directory(pictures(), name, max_age=86400)
    # It was looked at only to see that it begins like a picture.
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def pictures():
    return Path(current_app.instance_path) / "pictures"


def keep(file):
    """Stores a picture under a name of our own; None if it is no picture."""
    start = file.stream.read(8)
    file.stream.seek(0)
    ending = next((ending for magic, ending in PICTURES.items() if start.startswith(magic)), None)
    if ending is None:
        return None
    pictures().mkdir(exist_ok=True)
    name = secrets.token_hex(16) + ending
    file.save(pictures() / name)
    return name
