BEGIN;
CREATE TABLE user (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  password TEXT NOT NULL
);
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  user INTEGER NOT NULL REFERENCES user (id),
  text TEXT NOT NULL,
  picture TEXT,
  posted TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M', 'now'))
);
PRAGMA user_version = 1;
COMMIT;
