"""Sign up, log in, log out."""

import functools
import sqlite3

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

from guestbook import db

blueprint = Blueprint("auth", __name__)


@blueprint.before_app_request
def load_user():
    number = session.get("user")
    g.user = None
    if number is not None:
        g.user = db.connect().execute("SELECT id, name FROM user WHERE id = ?", (number,)).fetchone()


def login_required(view):
    @functools.wraps(view)
    def checked(**arguments):
        if g.user is None:
            return redirect(url_for("auth.login"), 303)
        return view(**arguments)

    return checked


@blueprint.route("/signup", methods=["GET", "POST"])
def signup():
    if request.method == "GET":
        return render_template("signup.html")
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    error = None
    if not 1 <= len(name) <= 40 or not name.isprintable():
        error = "A name has 1 to 40 characters."
    elif not 8 <= len(password) <= 200:
        error = "A password has at least 8 characters."
    else:
        hashed = generate_password_hash(password)
        connection = db.connect()
        try:
            with connection:
                connection.execute("INSERT INTO user (name, password) VALUES (?, ?)", (name, hashed))
        except sqlite3.IntegrityError:
            error = f"The name {name} is taken."
    if error:
        flash(error)
        return render_template("signup.html", name=name), 422
    flash(f"Welcome, {name}! Log in to write something.")
    return redirect(url_for("auth.login"), 303)


@blueprint.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "GET":
        return render_template("login.html")
    name = request.form.get("name", "").strip()
    user = db.connect().execute("SELECT * FROM user WHERE name = ?", (name,)).fetchone()
    if user is None or not check_password_hash(user["password"], request.form.get("password", "")):
        flash("That is not right: check the name and the password.")
        return render_template("login.html", name=name), 422
    session.clear()
    session["user"] = user["id"]
    return redirect(url_for("entries.index"), 303)


@blueprint.route("/logout", methods=["POST"])
def logout():
    session.clear()
    flash("You are logged out.")
    return redirect(url_for("entries.index"), 303)
