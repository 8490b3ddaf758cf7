-- Tokens: the SHA-256 of each value, and of the one before it for as long as that is accepted, too. functions is JSON.
CREATE TABLE tokens (
    name         text   PRIMARY KEY,
    digest       text   NOT NULL,
    old_digest   text,
    old_until    bigint,
    role         text   NOT NULL,
    functions    text   NOT NULL,
    rate_limit   text,
    created_by   text   NOT NULL,
    created_at   bigint NOT NULL,
    expires_at   bigint,
    last_used_at bigint
);
CREATE UNIQUE INDEX tokens_digest ON tokens (digest);
CREATE UNIQUE INDEX tokens_old_digest ON tokens (old_digest);
CREATE INDEX tokens_expires_at ON tokens (expires_at) WHERE expires_at IS NOT NULL;

-- Secrets, encrypted. function is the name of the function that one is for, or empty for all of them.
CREATE TABLE secrets (
    function   text   NOT NULL,
    name       text   NOT NULL,
    version    uuid   NOT NULL,
    key        text   NOT NULL,
    sealed     bytea  NOT NULL,
    set_by     text   NOT NULL,
    created_at bigint NOT NULL,
    set_at     bigint NOT NULL,
    PRIMARY KEY (function, name)
);

-- Who changed something, or was refused. from_address is null within the platform. number counts the entries of each outcome.
CREATE SEQUENCE audit_log_done;
CREATE SEQUENCE audit_log_refused;
CREATE TABLE audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           bigint NOT NULL,
    caller       text   NOT NULL,
    role         text,
    from_address text,
    action       text   NOT NULL,
    target       text,
    outcome      text   NOT NULL,
    detail       text,
    count        bigint NOT NULL,
    number       bigint NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_number ON audit_log (outcome, number);
CREATE INDEX audit_log_caller ON audit_log (caller, id);
CREATE INDEX audit_log_target ON audit_log (target, id);
CREATE INDEX audit_log_action ON audit_log (action, id);
CREATE INDEX audit_log_outcome ON audit_log (outcome, id);
