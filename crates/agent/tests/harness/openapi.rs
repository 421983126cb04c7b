//! `docs/openapi.json`, and whether an answer is one that it describes.
//!
//! Of JSON Schema it knows the keywords that the file uses, and fails at any other: one that is not looked at would promise
//! nothing. Patterns of texts are schemathesis's alone.

use serde_json::Value;

use super::http::Answer;

/// Words for people, and for schemathesis.
const ASIDE: [&str; 3] = ["description", "example", "pattern"];

pub struct Description(Value);

impl Description {
    pub fn read() -> Description {
        Description(serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON"))
    }

    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.0["paths"].as_object().expect("paths").keys()
    }

    /// # Panics
    /// When it is not an answer that the file describes for this request.
    pub fn assert_has(&self, method: &str, path: &str, answer: &Answer) {
        if let Err(why) = self.look_up(method, path, answer) {
            panic!("{method} {path}: {why}, which docs/openapi.json does not say\n{}\n{}", answer.head, answer.text());
        }
    }

    /// Whether it does, and else why not.
    pub fn look_up(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let responses = &self.0["paths"][path][method.to_ascii_lowercase()]["responses"];
        let response = self.resolved(&responses[answer.status.to_string()]);
        if response.is_null() {
            return Err(format!("status {}", answer.status));
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let value = answer.header(name).ok_or_else(|| format!("no header {name}"))?;
            let value = if header["schema"]["type"] == "integer" { value.parse().ok() } else { Some(value.into()) };
            self.fits(&header["schema"], &value.ok_or_else(|| format!("{name}: no number"))?, name)?;
        }
        let Some(content) = response["content"].as_object() else {
            return if answer.body.is_empty() { Ok(()) } else { Err("a body".to_owned()) };
        };
        let kind = answer.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let schema = &content.get(kind).ok_or_else(|| format!("content type {kind:?}"))?["schema"];
        let body = if kind == "application/json" { answer.json() } else { Value::from(answer.text()) };
        self.fits(schema, &body, "body")
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(place) => {
                let found = place.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer));
                found.unwrap_or_else(|| panic!("{place} leads nowhere"))
            }
            None => value,
        }
    }

    fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = self.resolved(schema);
        let Some(keywords) = schema.as_object() else {
            return if schema == &Value::Bool(true) { Ok(()) } else { Err(format!("{at} is there")) };
        };
        for (keyword, wanted) in keywords {
            self.keyword(keywords, keyword, wanted, value, at)?;
        }
        Ok(())
    }

    fn keyword(
        &self,
        schema: &serde_json::Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        let list = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let members = || value.as_object().into_iter().flatten();
        let holds = match keyword {
            "type" => list.iter().chain([wanted]).any(|kind| is_of(kind, value)),
            "const" => value == wanted,
            "enum" => list.contains(value),
            "not" => self.fits(wanted, value, at).is_err(),
            "oneOf" => {
                let fitting = list.iter().map(|one| self.fits(one, value, at));
                let (fit, wrong): (Vec<_>, Vec<_>) = fitting.partition(Result::is_ok);
                if fit.len() != 1 {
                    return Err(format!("{at} is {} of: {wrong:?}", fit.len()));
                }
                true
            }
            "minimum" => value.as_f64() >= wanted.as_f64() || value.is_null(),
            "maximum" => value.as_f64() <= wanted.as_f64() || value.is_null(),
            "minItems" => !value.is_array() || items.len() as u64 >= wanted.as_u64().expect("a number"),
            "maxItems" => items.len() as u64 <= wanted.as_u64().expect("a number"),
            "prefixItems" => {
                for (index, (schema, item)) in list.iter().zip(items).enumerate() {
                    self.fits(schema, item, &format!("{at}/{index}"))?;
                }
                true
            }
            "items" => {
                let before = schema.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                for (index, item) in items.iter().enumerate().skip(before) {
                    self.fits(wanted, item, &format!("{at}/{index}"))?;
                }
                true
            }
            "required" => {
                list.iter().all(|name| !value.is_object() || value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" => {
                for (name, member) in members() {
                    let schema =
                        wanted.get(name).map_or(Ok(()), |schema| self.fits(schema, member, &format!("{at}/{name}")));
                    schema?;
                }
                true
            }
            "additionalProperties" => {
                let named = |name: &String| schema.get("properties").is_some_and(|named| named.get(name).is_some());
                for (name, member) in members().filter(|(name, _)| !named(name)) {
                    self.fits(wanted, member, &format!("{at}/{name}"))?;
                }
                true
            }
            aside if ASIDE.contains(&aside) => true,
            unknown => panic!("{unknown} in docs/openapi.json is not looked at"),
        };
        if holds { Ok(()) } else { Err(format!("{at} is {value}, against {keyword} {wanted}")) }
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}
