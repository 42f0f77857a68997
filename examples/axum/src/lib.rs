use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::extract::{Form, Path, Query};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use wasgi_guest::{Environ, StartResponse, http};

/// Built at deployment; each request finds it ready in the snapshot.
static ROUTER: OnceLock<Router> = OnceLock::new();

#[wasgi_guest::initialize]
fn initialize() {
    ROUTER.get_or_init(router);
}

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> wasgi_guest::Body {
    http::serve(environ, start_response, ROUTER.get_or_init(router).clone())
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "An axum router, as a guest.\n" }))
        .route("/greet/{name}", get(greet))
        .route("/search", get(search))
        .route("/sum", post(sum))
        .route("/signup", post(signup))
        .route("/count/{to}", get(count))
}

async fn greet(Path(name): Path<String>) -> String {
    format!("Hello, {name}!\n")
}

#[derive(Deserialize)]
struct Search {
    q: String,
    #[serde(default)]
    page: u32,
}

async fn search(Query(search): Query<Search>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "q": search.q, "page": search.page, "found": [] }))
}

#[derive(Serialize)]
struct Sum {
    sum: f64,
}

async fn sum(Json(numbers): Json<Vec<f64>>) -> Json<Sum> {
    Json(Sum { sum: numbers.iter().sum() })
}

#[derive(Deserialize)]
struct Signup {
    name: String,
    email: String,
}

async fn signup(Form(signup): Form<Signup>) -> String {
    format!("Welcome, {} <{}>\n", signup.name, signup.email)
}

/// Each number is sent as soon as it is there.
async fn count(Path(to): Path<u32>) -> impl IntoResponse {
    let lines = (1..=to).map(|number| Ok::<_, std::io::Error>(Bytes::from(format!("{number}\n"))));
    Body::from_stream(stream::iter(lines))
}
