//! Rows of functions, revisions and instances.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::{Id, from_json, parse, revision, time};
use crate::{
    model::{Address, AddressTaken, Function, FunctionId, HttpSpec, InstanceId, ManagerId, Revision},
    store::{ActiveFunction, NamedBundle, ReportedInstance, row::row},
};

row! {
    pub(in crate::store) struct FunctionRow {
        id: Id,
        name: String,
        active_revision: i64,
        created_at: i64,
        reported_warm: bool,
    }
}

impl FunctionRow {
    pub fn into_model(self) -> sqlx::Result<Function> {
        Ok(Function {
            id: FunctionId(self.id.0),
            name: parse(&self.name)?,
            active_revision: revision(self.active_revision)?,
            created_at: time(self.created_at)?,
            reported_warm: self.reported_warm,
        })
    }
}

row! {
    pub(in crate::store) struct RevisionRow {
        function_id: Id,
        name: String,
        number: i64,
        spec: String,
        source: String,
        bundle: Option<String>,
        dependencies: Option<String>,
        image: String,
        created_at: i64,
    }
}

impl RevisionRow {
    pub fn into_model(self) -> sqlx::Result<Revision> {
        Ok(Revision {
            function: FunctionId(self.function_id.0),
            name: parse(&self.name)?,
            number: revision(self.number)?,
            spec: from_json(&self.spec)?,
            source: parse(&self.source)?,
            bundle: self.bundle.as_deref().map(parse).transpose()?,
            dependencies: self.dependencies.as_deref().map(parse).transpose()?,
            image: self.image,
            created_at: time(self.created_at)?,
        })
    }
}

/// A revision that is active, with the fields of its function.
pub(in crate::store) struct ActiveRow {
    revision: RevisionRow,
    function_created_at: i64,
    reported_warm: bool,
}

impl<'r, R: Row> FromRow<'r, R> for ActiveRow
where
    RevisionRow: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            revision: RevisionRow::from_row(row)?,
            function_created_at: row.try_get("function_created_at")?,
            reported_warm: row.try_get("reported_warm")?,
        })
    }
}

impl ActiveRow {
    pub fn into_model(self) -> sqlx::Result<ActiveFunction> {
        let revision = self.revision.into_model()?;
        let function = Function {
            id: revision.function,
            name: revision.name.clone(),
            active_revision: revision.number,
            created_at: time(self.function_created_at)?,
            reported_warm: self.reported_warm,
        };
        Ok(ActiveFunction { function, revision })
    }
}

/// Returns a function, unless this program cannot read it: the others do not go with it.
pub(in crate::store) fn readable(row: ActiveRow) -> Option<ActiveFunction> {
    let (name, number) = (row.revision.name.clone(), row.revision.number);
    let read = row.into_model();
    read.inspect_err(|error| {
        tracing::error!(function = name.as_str(), revision = number, %error, "a function cannot be read, and is not reached at its addresses");
    })
    .ok()
}

row! {
    pub(in crate::store) struct InstanceRow {
        id: Id,
        manager: Id,
        function_id: Id,
        revision: i64,
        sandbox: String,
        started_at: i64,
    }
}

impl InstanceRow {
    pub fn into_model(self) -> sqlx::Result<ReportedInstance> {
        Ok(ReportedInstance {
            id: InstanceId(self.id.0),
            manager: ManagerId(self.manager.0),
            function: FunctionId(self.function_id.0),
            revision: revision(self.revision)?,
            sandbox: self.sandbox,
            started_at: time(self.started_at)?,
        })
    }
}

/// Host, method, path and the name of the function that has the address.
pub(in crate::store) type TakenRow = (String, String, String, String);

/// `asking` is of the function that is refused.
pub(in crate::store) fn address_taken(
    (host, method, path, function): TakenRow,
    asking: &HttpSpec,
) -> sqlx::Result<AddressTaken> {
    let address = asking.in_words(&Address { host, method, path });
    Ok(AddressTaken { function: parse(&function)?, address })
}

pub(in crate::store) fn named_bundle(
    (function, source, bundle, image): (String, String, Option<String>, String),
) -> sqlx::Result<NamedBundle> {
    Ok(NamedBundle {
        function: parse(&function)?,
        source: parse(&source)?,
        bundle: bundle.as_deref().map(parse).transpose()?,
        image,
    })
}
