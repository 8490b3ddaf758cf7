//! A route as the document describes it: what it takes and answers.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::schemas::Schemas;
use crate::model::ProblemCode;

/// A route: what it takes and answers.
pub struct Operation {
    /// A sentence about it.
    pub summary: &'static str,
    /// The body that it takes; none where it takes none.
    pub takes: Option<Value>,
    /// The headers that it looks at.
    pub headers: Vec<Value>,
    /// Its answers that are not problems.
    pub gives: Vec<Given>,
    /// The problems that not every route has.
    pub problems: Vec<ProblemCode>,
    /// A function's own response is passed on, whatever it is.
    pub is_of_function: bool,
}

/// An answer.
pub struct Given {
    pub status: u16,
    pub about: &'static str,
    pub content: Content,
    /// Headers and what they say.
    pub headers: &'static [(&'static str, &'static str)],
}

/// The body of an answer, by the schema of what it holds.
pub enum Content {
    Nothing,
    Json(Value),
    /// Lines of JSON.
    Lines(Value),
    /// A document, or lines for a client that asks for them.
    JsonOrLines(Value, Value),
    /// Bytes of any type.
    Any,
}

impl Operation {
    pub fn new(summary: &'static str) -> Self {
        let (headers, gives, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self { summary, takes: None, headers, gives, problems, is_of_function: false }
    }

    pub fn takes_json<T: JsonSchema>(mut self, schemas: &mut Schemas, is_required: bool) -> Self {
        let content = json!({ "application/json": { "schema": schemas.taken::<T>() } });
        self.takes = Some(json!({ "required": is_required, "content": content }));
        self
    }

    pub fn takes_bytes(mut self, about: &str, types: &[&str]) -> Self {
        let content = types.iter().map(|one| ((*one).to_owned(), json!({})));
        self.takes = Some(json!({ "description": about, "content": Value::Object(content.collect()) }));
        self
    }

    pub fn looks_at(mut self, header: &str, about: &str, schema: Value) -> Self {
        self.headers
            .push(json!({ "name": header, "in": "header", "description": about, "schema": schema }));
        self
    }

    pub fn gives(mut self, status: u16, about: &'static str, content: Content) -> Self {
        self.gives.push(Given { status, about, content, headers: &[] });
        self
    }

    pub fn gives_json<T: JsonSchema>(
        self,
        schemas: &mut Schemas,
        status: u16,
        about: &'static str,
    ) -> Self {
        self.gives(status, about, Content::Json(schemas.answered::<T>()))
    }

    /// Adds headers to the answer that was added last.
    pub fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        if let Some(given) = self.gives.last_mut() {
            given.headers = headers;
        }
        self
    }

    pub fn fails(mut self, problems: &[ProblemCode]) -> Self {
        self.problems.extend_from_slice(problems);
        self
    }
}
