//! See [`crate::store::reads`].

crate::store::reads::reads!(
    sqlx::Postgres,
    dialect = postgres,
    now = "now_ms()",
    digits = "replace(id::text, '-', '')",
    row_ranges = true
);
