//! A request of the host's own, which readies an instance before its first: what an app loads, builds and touches when
//! it is first asked is there when a client asks. The app names its path; nobody gets the answer.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Uri};
use percent_encoding::percent_decode_str;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::environ::{self, Context, Endpoint, Scheme};
use crate::input::Input;
use crate::native;
use crate::reply::{Reply, ReplyBody};
use crate::request_id::RequestId;
use crate::sandbox::app::App;
use crate::sandbox::instance::{Call, Exchange, Variables};
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;

/// The variable by which an app can tell this request from all others.
const MARK: &str = "wsgi.warm_up";

/// What such a request says.
#[derive(Debug)]
pub(crate) struct WarmUp {
    request: Parts,
    path_info: String,
    /// The app's own variables, and the mark.
    env: BTreeMap<String, String>,
}

impl WarmUp {
    /// `GET path`, to an app with this environment. None if the path is none, which asks have been checked for.
    pub(crate) fn new(path: &str, env: &BTreeMap<String, String>) -> Option<Self> {
        let uri: Uri = path.parse().ok()?;
        let path_info = native::from_bytes(&percent_decode_str(uri.path()).collect::<Vec<u8>>());
        let mut request = Request::new(()).into_parts().0;
        request.uri = uri;
        request.headers.insert(HOST, HeaderValue::from_static("localhost"));
        let mut env = env.clone();
        env.insert(MARK.to_owned(), "1".to_owned());
        Some(Self { request, path_info, env })
    }

    /// What the guest is called with.
    pub(crate) fn call(&self, app: &App, log: Arc<dyn GuestLog>, meter: Arc<Meter>) -> Call {
        let context = Context {
            script_name: "",
            path_info: &self.path_info,
            content_length: None,
            scheme: Scheme::Http,
            local: Endpoint::Unix,
            peer: Endpoint::Unix,
            request_id: &RequestId::generate(),
            app: app.name().as_str(),
            single: app.is_single(),
            reused: app.reuse() > 1,
            env: &self.env,
        };
        Call {
            variables: Variables::Environ(environ::build(&self.request, &context)),
            exchange: Exchange {
                input: Input::from_bytes(Bytes::new()),
                head_only: false,
                client: Arc::new(Client::default()),
            },
            log,
            meter,
        }
    }
}

/// Takes an answer and forgets it, so that a guest that streams comes to its end.
pub(crate) async fn forget(head: oneshot::Receiver<Reply>) {
    // None: the guest has returned all of it, or failed.
    let Ok(Reply { body: ReplyBody::Stream(mut stream), .. }) = head.await else { return };
    while let Some(Ok(_)) = poll_fn(|context| stream.poll_next(context)).await {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_decoded_and_the_request_is_marked() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let warm_up = WarmUp::new("/caf%C3%A9?x=1", &env).unwrap();
        assert_eq!(warm_up.path_info, "/caf\u{c3}\u{a9}");
        assert_eq!(warm_up.request.uri.query(), Some("x=1"));
        assert_eq!(warm_up.env.len(), 2);
        assert!(WarmUp::new("no path", &env).is_none());
    }
}
