-- What this is for is said in ../postgres/0007_dependencies.sql.
CREATE TABLE dependency_trees (
    tree       TEXT    PRIMARY KEY,
    key        TEXT    NOT NULL UNIQUE,
    about      TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dependency_pieces (
    tree       TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    bytes      BLOB    NOT NULL,
    PRIMARY KEY (tree, number)
);
ALTER TABLE revisions ADD COLUMN dependencies TEXT;
CREATE INDEX revisions_dependencies ON revisions (dependencies) WHERE dependencies IS NOT NULL;
