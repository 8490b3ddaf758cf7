//! The schemas of the document, made of the types that handlers take and answer.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Collects the schemas of types. A type that is answered may be described in another way than one that is taken: what it may
/// leave out is not the same.
pub struct Schemas {
    answered: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    pub fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            answered: settings.clone().for_serialize().into_generator(),
            taken: settings.for_deserialize().into_generator(),
        }
    }

    /// Returns a reference to the schema of what a handler answers.
    pub fn answered<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }

    /// Returns a reference to the schema of what a handler takes.
    pub fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }

    /// Returns all schemas by their names. One that is both taken and answered has to be the same.
    pub fn all(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        for (name, schema) in self.taken.take_definitions(true) {
            if let Some(other) = all.get(&name) {
                assert_eq!(*other, schema, "{name} is not taken as it is answered: it needs two types");
            }
            all.insert(name, schema);
        }
        all
    }
}
