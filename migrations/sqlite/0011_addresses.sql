-- What this is for is said in ../postgres/0011_addresses.sql.
CREATE TABLE addresses (
    host        TEXT NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    function_id BLOB NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    PRIMARY KEY (host, method, path)
) WITHOUT ROWID;
CREATE INDEX addresses_function ON addresses (function_id);
