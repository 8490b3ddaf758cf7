//! What sqlx's macros would do, in a few lines: for them both databases and TLS are compiled a second time, for the
//! compiler, in every first build.

/// Defines a struct that is read from the columns with the names of its fields, in both dialects.
macro_rules! row {
    ($(#[$meta:meta])* $visible:vis struct $Row:ident { $($(#[$of_field:meta])* $see:vis $field:ident: $Type:ty,)* }) => {
        $(#[$meta])*
        $visible struct $Row { $($(#[$of_field])* $see $field: $Type,)* }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $Row
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($Type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                Ok(Self { $($field: row.try_get(stringify!($field))?,)* })
            }
        }
    };
}
pub(super) use row;

/// Compiles the migrations of a folder in, in the order of their numbers.
macro_rules! migrations {
    ($folder:literal: $($file:literal)*) => {
        $crate::store::row::migrator(&[$(
            ($file, include_str!(concat!("../../../migrations/", $folder, "/", $file, ".sql"))),
        )*])
    };
}
pub(super) use migrations;

/// Makes migrations of names such as `0001_init` and their statements. Number, description and checksum are those that
/// `sqlx::migrate!` gives them, so that a store that it has migrated is recognised.
pub(super) fn migrator(files: &[(&'static str, &'static str)]) -> sqlx::migrate::Migrator {
    use sqlx::{SqlSafeStr as _, migrate::Migration};
    let migrations = files.iter().map(|(name, statements)| {
        let (number, description) = name.split_once('_').expect("a migration is called 0001_its_name");
        let number = number.parse().expect("a migration's name begins with its number");
        let kind = sqlx::migrate::MigrationType::Simple;
        Migration::new(
            number,
            description.replace('_', " ").into(),
            kind,
            statements.into_sql_str(),
            false,
        )
    });
    sqlx::migrate::Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[tokio::test]
    async fn every_migration_of_the_folders_is_compiled_in_as_it_is() {
        for (folder, compiled) in [
            ("migrations/postgres", &*crate::store::postgres::MIGRATIONS),
            ("migrations/sqlite", &*crate::store::sqlite::MIGRATIONS),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let read = sqlx::migrate::Migrator::new(folder).await.unwrap();
            let facts = |all: &sqlx::migrate::Migrator| -> Vec<_> {
                let facts = all.iter().map(|one| {
                    (one.version, one.description.to_string(), one.migration_type, one.checksum.to_vec())
                });
                facts.map(|fact| format!("{fact:?}")).collect()
            };
            assert_eq!(facts(compiled), facts(&read));
        }
    }
}
