//! Rows as both backends read them, and their conversion into the model. A value that cannot be converted is an
//! `sqlx::Error::Decode`: the store holds data that this program cannot read.

mod access;
mod functions;
mod id;
mod invocations;
mod logs;
mod values;

pub(super) use self::{access::*, functions::*, id::Id, invocations::*, logs::LineRow, values::*};
