"""What componentize-py builds: it imports this while it builds, and its snapshot is what is left afterwards."""

from wasgi.build import build

WitWorld = build()
