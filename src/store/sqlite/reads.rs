//! See [`crate::store::reads`].

crate::store::reads::reads!(
    sqlx::Sqlite,
    dialect = sqlite,
    now = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)",
    digits = "lower(hex(id))",
    row_ranges = false
);
