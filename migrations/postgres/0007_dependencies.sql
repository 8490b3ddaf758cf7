-- Installed packages. A tree is a gzipped tar in pieces. Its pieces are stored first; a row in dependency_trees says that all
-- of them are there. key stands for what it was made from: functions with the same key use the same tree, which goes with
-- the last revision that names it. revisions_dependencies serves that question, and whether an unpacked tree is still named.
CREATE TABLE dependency_trees (
    tree       text   PRIMARY KEY,
    key        text   NOT NULL UNIQUE,
    about      text   NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE dependency_pieces (
    tree       text   NOT NULL,
    number     bigint NOT NULL,
    created_at bigint NOT NULL,
    bytes      bytea  NOT NULL,
    PRIMARY KEY (tree, number)
);
ALTER TABLE dependency_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE revisions ADD COLUMN dependencies text;
CREATE INDEX revisions_dependencies ON revisions (dependencies) WHERE dependencies IS NOT NULL;
