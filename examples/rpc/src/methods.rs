//! What the service can do.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value, json};

use crate::registry::Registry;
use crate::rpc::Error;

/// A method: from its parameters, `null` if there are none, to its result.
pub type Method = fn(&Registry, Value) -> Result<Value, Error>;

/// Every method by name.
pub fn all() -> BTreeMap<&'static str, Method> {
    BTreeMap::from([
        ("add", add as Method),
        ("echo", |_, params| Ok(params)),
        ("factor", factor),
        ("registry", |registry, _| Ok(registry.report())),
        ("text.count", count),
        ("time", time),
    ])
}

/// The sum of a list of numbers, whole if all of them are.
fn add(_registry: &Registry, params: Value) -> Result<Value, Error> {
    let numbers: Vec<Number> = parse(params)?;
    let whole = numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(number.as_i64()?));
    Ok(match whole {
        Some(sum) => json!(sum),
        None => json!(numbers.iter().filter_map(Number::as_f64).sum::<f64>()),
    })
}

/// The prime factors of one number, by the table made at deployment.
fn factor(registry: &Registry, params: Value) -> Result<Value, Error> {
    let [mut number]: [u32; 1] = parse(params)?;
    let table = registry.smallest_factors();
    if number == 0 || number as usize >= table.len() {
        return Err(Error::invalid_params(format!("the number must be from 1 to {}", table.len() - 1)));
    }
    let mut factors = Vec::new();
    while number > 1 {
        let factor = table[number as usize];
        factors.push(factor);
        number /= factor;
    }
    Ok(json!(factors))
}

/// Parameters by name.
#[derive(Deserialize)]
struct Text {
    text: String,
}

fn count(_registry: &Registry, params: Value) -> Result<Value, Error> {
    let Text { text } = parse(params)?;
    Ok(json!({
        "bytes": text.len(),
        "chars": text.chars().count(),
        "words": text.split_whitespace().count(),
        "lines": text.lines().count(),
    }))
}

/// Seconds since 1970: clocks are read in the request, never kept from `initialize`.
fn time(_registry: &Registry, _params: Value) -> Result<Value, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| Error::internal(error.to_string()))?;
    Ok(json!(now.as_secs()))
}

fn parse<T: DeserializeOwned>(params: Value) -> Result<T, Error> {
    serde_json::from_value(params).map_err(|error| Error::invalid_params(error.to_string()))
}
