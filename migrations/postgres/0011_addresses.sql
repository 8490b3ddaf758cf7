-- The addresses of the functions' active revisions, so that no two functions get the same. host is empty for every host, and
-- method is * for every method. They are written when a revision becomes active.
CREATE TABLE addresses (
    host        text NOT NULL,
    method      text NOT NULL,
    path        text NOT NULL,
    function_id uuid NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    PRIMARY KEY (host, method, path)
);
CREATE INDEX addresses_function ON addresses (function_id);
