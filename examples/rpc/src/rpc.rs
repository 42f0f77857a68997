//! JSON-RPC 2.0 over HTTP.

use std::io::Read;

use serde_json::{Value, json};
use wasgi_guest::{Body, Environ};

use crate::registry::Registry;

/// The largest request, in bytes.
const REQUEST: u64 = 1024 * 1024;

/// One HTTP request.
pub struct Rpc {
    environ: Environ,
}

/// What start_response and the client get.
pub struct Outcome {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    value: Option<Value>,
}

/// The error object of JSON-RPC.
#[derive(Debug)]
pub struct Error {
    code: i32,
    message: &'static str,
    data: Option<String>,
}

// === impl Rpc ===

impl Rpc {
    pub fn new(environ: Environ) -> Self {
        Self { environ }
    }

    pub fn get_result(&self) -> Outcome {
        Registry::count_call();
        if self.environ.method() != "POST" {
            let value = Error::invalid_request("POST a JSON-RPC 2.0 request").response(Value::Null);
            return Outcome { status: 405, headers: vec![("Allow", "POST")], value: Some(value) };
        }
        let value = match self.body() {
            Ok(body) => answer(Registry::get(), &body),
            Err(error) => return Outcome::new(error.status(), Some(error.response(Value::Null))),
        };
        // Only notifications: there is nothing to say.
        Outcome::new(if value.is_some() { 200 } else { 204 }, value)
    }

    fn body(&self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        let input = self.environ.input().map_err(|error| Error::internal(error.to_string()))?;
        input.take(REQUEST + 1).read_to_end(&mut body).map_err(|error| Error::internal(error.to_string()))?;
        if body.len() as u64 > REQUEST {
            return Err(Error::too_large());
        }
        Ok(body)
    }
}

// === impl Outcome ===

impl Outcome {
    fn new(status: u16, value: Option<Value>) -> Self {
        Self { status, headers: Vec::new(), value }
    }

    /// `status, headers, value = result.values()`
    pub fn values(self) -> (u16, Vec<(&'static str, &'static str)>, Body) {
        let Self { status, mut headers, value } = self;
        match value {
            Some(value) => {
                headers.push(("Content-Type", "application/json"));
                (status, headers, format!("{value}\n").into())
            }
            None => (status, headers, Body::empty()),
        }
    }
}

// === the protocol ===

/// The answer to one request or a batch; none if there were only notifications.
fn answer(registry: Option<&Registry>, body: &[u8]) -> Option<Value> {
    match serde_json::from_slice(body) {
        Err(error) => Some(Error::parse(error.to_string()).response(Value::Null)),
        Ok(Value::Array(batch)) if batch.is_empty() => {
            Some(Error::invalid_request("the batch is empty").response(Value::Null))
        }
        Ok(Value::Array(batch)) => {
            let answers: Vec<Value> = batch.into_iter().filter_map(|request| answer_one(registry, request)).collect();
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(request) => answer_one(registry, request),
    }
}

fn answer_one(registry: Option<&Registry>, mut request: Value) -> Option<Value> {
    // The id first: errors are answered under it, unless it is malformed itself.
    let id = match request.get_mut("id").map(Value::take) {
        Some(id @ (Value::Null | Value::String(_) | Value::Number(_))) => Some(id),
        Some(_) => return Some(Error::invalid_request("id is no string, number or null").response(Value::Null)),
        None => None,
    };
    let (method, params) = match parts(&mut request) {
        Ok(parts) => parts,
        Err(error) => return Some(error.response(id.unwrap_or(Value::Null))),
    };
    let result = call(registry, &method, params);
    // Without an id it is a notification, which is not answered, not even with an error.
    let id = id?;
    Some(match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => error.response(id),
    })
}

fn parts(request: &mut Value) -> Result<(String, Value), Error> {
    if request.get("jsonrpc") != Some(&json!("2.0")) {
        return Err(Error::invalid_request("jsonrpc is not \"2.0\""));
    }
    let Some(Value::String(method)) = request.get_mut("method").map(Value::take) else {
        return Err(Error::invalid_request("method is no string"));
    };
    match request.get_mut("params").map(Value::take) {
        Some(params @ (Value::Array(_) | Value::Object(_))) => Ok((method, params)),
        None => Ok((method, Value::Null)),
        Some(_) => Err(Error::invalid_request("params is no list and no object")),
    }
}

fn call(registry: Option<&Registry>, method: &str, params: Value) -> Result<Value, Error> {
    let registry = registry.ok_or_else(|| Error::internal("initialize was not called".to_owned()))?;
    registry.method(method).ok_or_else(|| Error::method_not_found(method))?(registry, params)
}

// === impl Error ===

impl Error {
    fn parse(data: String) -> Self {
        Self { code: -32700, message: "Parse error", data: Some(data) }
    }

    fn invalid_request(data: &str) -> Self {
        Self { code: -32600, message: "Invalid Request", data: Some(data.to_owned()) }
    }

    fn method_not_found(method: &str) -> Self {
        Self { code: -32601, message: "Method not found", data: Some(method.to_owned()) }
    }

    pub fn invalid_params(data: String) -> Self {
        Self { code: -32602, message: "Invalid params", data: Some(data) }
    }

    pub fn internal(data: String) -> Self {
        Self { code: -32603, message: "Internal error", data: Some(data) }
    }

    fn too_large() -> Self {
        Self { code: -32000, message: "Request too large", data: Some(format!("at most {REQUEST} bytes")) }
    }

    /// Errors of JSON-RPC are answers, with 200; these two are the transport's.
    fn status(&self) -> u16 {
        if self.code == -32000 { 413 } else { 500 }
    }

    fn response(self, id: Value) -> Value {
        let Self { code, message, data } = self;
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": data } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Option<Value> {
        Registry::initialize();
        answer(Registry::get(), body.as_bytes())
    }

    fn code(answer: Option<Value>) -> i64 {
        answer.and_then(|answer| answer["error"]["code"].as_i64()).unwrap()
    }

    #[test]
    fn whole_numbers_have_a_whole_sum() {
        let answer = ask(r#"{"jsonrpc":"2.0","id":7,"method":"add","params":[2,3]}"#);
        assert_eq!(answer, Some(json!({"jsonrpc": "2.0", "id": 7, "result": 5})));
    }

    #[test]
    fn a_sum_that_is_too_large_for_an_integer_is_a_float() {
        let answer = ask(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"add","params":[{},1]}}"#, i64::MAX)).unwrap();
        assert_eq!(answer["result"], json!(9_223_372_036_854_775_807_f64 + 1.0));
    }

    #[test]
    fn a_number_is_factored_by_the_registry() {
        let answer = ask(r#"{"jsonrpc":"2.0","id":1,"method":"factor","params":[360]}"#).unwrap();
        assert_eq!(answer["result"], json!([2, 2, 2, 3, 3, 5]));
    }

    #[test]
    fn each_error_has_the_code_of_the_specification() {
        assert_eq!(code(ask("{")), -32700);
        assert_eq!(code(ask("[]")), -32600);
        assert_eq!(code(ask("1")), -32600);
        assert_eq!(code(ask(r#"{"jsonrpc":"1.0","id":1,"method":"echo"}"#)), -32600);
        assert_eq!(code(ask(r#"{"jsonrpc":"2.0","id":{},"method":"echo"}"#)), -32600);
        assert_eq!(code(ask(r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#)), -32601);
        assert_eq!(code(ask(r#"{"jsonrpc":"2.0","id":1,"method":"factor","params":[0]}"#)), -32602);
    }

    #[test]
    fn a_notification_is_not_answered() {
        assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"add","params":[1]}"#), None);
        assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"nothing"}"#), None);
    }

    #[test]
    fn an_id_of_null_is_an_id() {
        let answer = ask(r#"{"jsonrpc":"2.0","id":null,"method":"add","params":[1]}"#);
        assert_eq!(answer, Some(json!({"jsonrpc": "2.0", "id": null, "result": 1})));
    }

    #[test]
    fn a_batch_is_answered_but_for_its_notifications() {
        let answer =
            ask(r#"[{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":1}},{"jsonrpc":"2.0","method":"echo"},5]"#)
                .unwrap();
        assert_eq!(answer[0], json!({"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}));
        assert_eq!(answer[1]["error"]["code"], -32600);
        assert_eq!(answer.as_array().map(Vec::len), Some(2));
        assert_eq!(ask(r#"[{"jsonrpc":"2.0","method":"echo"}]"#), None);
    }

    #[test]
    fn without_initialize_there_is_no_answer_but_an_error() {
        assert_eq!(code(answer(None, br#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#)), -32603);
    }
}
