//! Reads of the addresses of functions.

macro_rules! address_reads {
    ($database:ty, dialect = $dialect:ident) => {
        use sqlx::{Pool, query_as};

        use crate::{
            model::{AddressTaken, FunctionName, HttpSpec},
            store::{
                ActiveFunction,
                reads::functions::active_functions,
                rows::{ActiveRow, TakenRow, address_taken, json, readable},
                statements::taken,
            },
        };

        type Reader = Pool<$database>;

        /// In JSON without spaces, these characters stand nowhere but for the key: a quotation mark within a text has `\` before
        /// it.
        pub async fn http_functions(pool: &Reader) -> sqlx::Result<Vec<ActiveFunction>> {
            let rows: Vec<ActiveRow> = query_as(concat!(
                active_functions!(),
                " WHERE r.spec LIKE '%\"http\":{%' ORDER BY f.name"
            ))
            .fetch_all(pool)
            .await?;
            let functions = rows.into_iter().filter_map(readable);
            Ok(functions.filter(|active| active.revision.spec.http.is_some()).collect())
        }

        pub async fn taken_address(
            pool: &Reader,
            name: &FunctionName,
            http: &HttpSpec,
        ) -> sqlx::Result<Option<AddressTaken>> {
            let found: Option<TakenRow> = query_as(taken!($dialect))
                .bind(json(&http.addresses())?)
                .bind(name.as_str())
                .fetch_optional(pool)
                .await?;
            found.map(|found| address_taken(found, http)).transpose()
        }
    };
}

pub(in crate::store) use address_reads;
