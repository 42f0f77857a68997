//! One request in one instance, from its start to the last byte of its answer.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::HeaderValue;
use ::http::header::CONTENT_LENGTH;
use ::http::request::Parts;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use wasmtime::Store;
use wasmtime_wasi::p2::bindings::Command;

use crate::bundle::mounts::{Content, FileRefused};
use crate::client::Client;
use crate::environ::Environ;
use crate::input::Input;
use crate::reply::{Answer, Cut, Last, Reply, ReplyBody};
use crate::sandbox::app::App;
use crate::sandbox::bindings;
use crate::sandbox::bindings::wasgi::gateway::gateway::Body;
use crate::sandbox::code::Code;
use crate::sandbox::exports::Exports;
use crate::sandbox::fault::Fault;
use crate::sandbox::host_calls::Request;
use crate::sandbox::http;
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;
use crate::sandbox::pool::{Lease, Place, Start};
use crate::sandbox::program::{Ended, Program};
use crate::sandbox::start_response::{Finish, Misuse};
use crate::sandbox::store::{Guest, Terms, build_store};
use crate::sandbox::warm_up;
use crate::sandbox::wear::Wear;

/// One live instantiation in one store.
pub struct Instance {
    // Dropped in this order: the store gives its memory back before the slot counts as free.
    store: Store<Guest>,
    exports: Exports,
    slot: OwnedSemaphorePermit,
    /// What it was made of; an instance of replaced code is not used again.
    code: Arc<Code>,
    wear: Wear,
}

/// What a guest is called with.
pub struct Call {
    /// The request's variables, as its app takes them.
    pub variables: Variables,
    /// The request's body, and who waits for the answer.
    pub exchange: Exchange,
    /// Where the guest's output and faults go.
    pub log: Arc<dyn GuestLog>,
    /// Holds it to its budgets; its wall clock runs.
    pub meter: Arc<Meter>,
}

/// The variables of a request.
pub enum Variables {
    /// Native strings, for an app of the gateway.
    Environ(Environ),
    /// A head, for an app of wasi:http.
    Head(Box<Parts>),
    /// Text, for the environment of a program.
    Environment(Vec<(String, String)>),
}

/// Both ends of a request.
#[derive(Debug)]
pub struct Exchange {
    /// The request's body.
    pub input: Input,
    /// Whether this is a HEAD request, whose answer has no body (PEP 3333 rule 71).
    pub head_only: bool,
    /// Who waits for the answer.
    pub client: Arc<Client>,
}

/// Runs `call` in an instance of `app`. Resolves when the head is committed or the guest is done; a
/// guest that streams on, or whose client leaves meanwhile, goes on under `tracker`.
///
/// # Errors
/// [`Fault`] if there is no head to send. It has been logged.
///
/// # Panics
/// Outside a tokio runtime.
// Not an async fn: that would carry the run's future in its own, and be copied with it.
pub fn serve(
    app: Arc<App>,
    lease: Lease,
    call: Call,
    tracker: TaskTracker,
) -> impl Future<Output = Result<Answer, Fault>> {
    let (sender, head) = oneshot::channel();
    let client = Arc::clone(&call.exchange.client);
    let run = Box::pin(run(app, lease, call, sender));
    Inline { run: Some(run), head, client, tracker, runtime: Handle::current() }
}

type Run = Pin<Box<dyn Future<Output = Result<Option<Answer>, Fault>> + Send>>;

/// A guest that runs as part of its request's own task, until its head is committed.
struct Inline {
    run: Option<Run>,
    head: oneshot::Receiver<Reply>,
    client: Arc<Client>,
    tracker: TaskTracker,
    runtime: Handle,
}

impl Future for Inline {
    type Output = Result<Answer, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(run) = self.run.as_mut() else { return Poll::Pending };
        let polled = run.as_mut().poll(context);
        // The head is sent from within that poll, so there is no other wake-up to wait for.
        let committed = self.head.try_recv().ok();
        match (polled, committed) {
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(reply)) => {
                if let Some(run) = self.run.take() {
                    self.tracker.spawn_on(run, &self.runtime);
                }
                Poll::Ready(Ok(Answer::Reply(reply)))
            }
            (Poll::Ready(outcome), committed) => {
                self.run = None;
                match (outcome, committed) {
                    // A fault after the head was logged, and cuts the body.
                    (_, Some(reply)) => Poll::Ready(Ok(Answer::Reply(reply))),
                    (Ok(Some(answer)), None) => Poll::Ready(Ok(answer)),
                    (Err(fault), None) => Poll::Ready(Err(fault)),
                    (Ok(None), None) => Poll::Ready(Err(Misuse::NoHead(None).into())),
                }
            }
        }
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        // Dropped before the head: the client is gone. The guest gets its moment to clean up.
        if let Some(run) = self.run.take() {
            self.client.leave();
            self.tracker.spawn_on(run, &self.runtime);
        }
    }
}

/// The guest's whole life under its budgets. `None`: all that is to be said went through `head`.
async fn run(app: Arc<App>, lease: Lease, call: Call, head: oneshot::Sender<Reply>) -> Result<Option<Answer>, Fault> {
    let log = Arc::clone(&call.log);
    let code = app.code().await.inspect_err(|fault| log.fault(fault))?;
    let meter = Arc::clone(&call.meter);
    let work = Work { code: Arc::clone(&code), meter: Arc::clone(&meter), head };
    // Pinned here: handed over by value, each future on the way would have room for it, and copy it.
    let guest = pin!(in_instance(&app, lease, call, work));
    let outcome = match meter.supervise(app.seat(), code.ticker(), guest).await {
        Ok(outcome) => outcome,
        Err(overrun) => Err(Fault::Overrun { overrun, backtrace: None }),
    };
    if let Err(fault) = &outcome {
        log.fault(fault);
    }
    outcome
}

/// What a call works with besides its instance.
struct Work {
    code: Arc<Code>,
    meter: Arc<Meter>,
    /// Takes the head when it is committed while the guest still runs.
    head: oneshot::Sender<Reply>,
}

async fn in_instance(app: &App, lease: Lease, call: Call, work: Work) -> Result<Option<Answer>, Fault> {
    let Work { code, meter, head } = work;
    // The place is declared first, so that it is dropped last.
    let (start, place) = lease.take();
    let slot = match start {
        // Of code that was replaced while the instance was handed over: only its slot is of use.
        Start::Ready(instance) if !Arc::ptr_eq(&instance.code, &code) => Err(instance.into_slot()),
        Start::Ready(instance) => Ok(instance),
        Start::Fresh(slot) => Err(slot),
    };
    let mut instance = match slot {
        Ok(mut instance) => {
            instance.begin(Arc::clone(&call.log), meter);
            instance
        }
        Err(slot) => Instance::start(app, (code, slot), Arc::clone(&call.log), meter).await?,
    };
    let outcome = instance.call(call, head).await;
    // Faults of conduct leave a sound instance, but one that is better not trusted with more.
    if outcome.is_ok() {
        instance.rest(app, &place);
    }
    outcome
}

impl Instance {
    /// Makes an instance of `code` in a slot.
    ///
    /// # Errors
    /// [`Fault`] of its start functions, or of the host.
    pub(crate) async fn start(
        app: &App,
        (code, slot): (Arc<Code>, OwnedSemaphorePermit),
        log: Arc<dyn GuestLog>,
        meter: Arc<Meter>,
    ) -> Result<Self, Fault> {
        fail::fail_point!("instantiate", |_| Err(Fault::Instantiate("failure point".into())));
        let mut store = build_store(code.engine(), Arc::clone(app.terms()), meter, log);
        match code.pre().instantiate(&mut store).await {
            Ok(exports) => Ok(Self { store, exports, slot, code, wear: Wear::new(app.requests_max()) }),
            Err(error) => {
                let out_of_memory = store.data_mut().limiter.take_refused();
                Err(Fault::from_instantiation(&error, out_of_memory))
            }
        }
    }

    /// Drops the instance and keeps its slot.
    fn into_slot(self) -> OwnedSemaphorePermit {
        self.slot
    }

    /// Readies an instance that rested for its next request, under whose id its output stands from now on.
    fn begin(&mut self, log: Arc<dyn GuestLog>, meter: Arc<Meter>) {
        let guest = self.store.data_mut();
        guest.meter = meter;
        guest.limiter.take_refused();
        guest.output.begin(&guest.terms.limits, log);
        // The epoch moved on while the instance rested: without this it would yield at once.
        self.store.set_epoch_deadline(1);
    }

    /// Readies a new instance by a request of the host's own, which counts for nothing.
    ///
    /// # Errors
    /// As those of any request; then the instance is of no use.
    pub(crate) async fn ready(&mut self, call: Call) -> Result<(), Fault> {
        let (sender, head) = oneshot::channel();
        let (called, ()) = tokio::join!(self.call(call, sender), warm_up::forget(head));
        self.wear.excuse();
        called.map(drop)
    }

    /// Calls the guest as its kind is called.
    async fn call(&mut self, call: Call, head: oneshot::Sender<Reply>) -> Result<Option<Answer>, Fault> {
        let serial = self.wear.begin();
        match (&self.exports, call.variables) {
            (Exports::Gateway(exports), Variables::Environ(environ)) => {
                let request = Request::new(serial, environ, call.exchange, head);
                call_application(exports, &mut self.store, request).await
            }
            (Exports::Http(exports), Variables::Head(parts)) => {
                http::call(exports, &mut self.store, (*parts, call.exchange), head).await
            }
            (Exports::Cgi(exports), Variables::Environment(environment)) => {
                run_program(exports, &mut self.store, (environment, call.exchange), head).await
            }
            // Nobody does: the kind is the app's for as long as it is deployed.
            _ => Err(Fault::Instantiate("the app was called as one of another kind".into())),
        }
    }
}

/// One call of `application`, from its environ to its body.
async fn call_application(
    exports: &bindings::App,
    store: &mut Store<Guest>,
    request: Request,
) -> Result<Option<Answer>, Fault> {
    let head_only = request.response.is_head_only();
    let (environ, start_response) = store.data_mut().begin(request);
    let returned = exports.call_application(&mut *store, environ, start_response).await;

    let guest = store.data_mut();
    guest.output.end();
    let out_of_memory = guest.limiter.take_refused();
    let terms = Arc::clone(&guest.terms);
    let Some(mut request) = guest.request.take() else { return Err(Misuse::NoHead(None).into()) };
    let finished = match returned {
        Ok(body) => finish(&mut request, body, &terms).await,
        Err(error) => Err(Fault::from_call(&error, out_of_memory)),
    };
    match finished {
        Ok((Finish::Whole(head), content)) => Ok(Some(Answer::Reply(whole(*head, content, head_only)))),
        Ok((Finish::Rest { send }, content)) => {
            request.outlet.end(Ok(match content {
                _ if !send => Last::Bytes(Bytes::new()),
                Content::Bytes(bytes) => Last::Bytes(bytes),
                Content::File(part) => Last::File(part),
            }));
            Ok(None)
        }
        Err(fault) => {
            request.outlet.end(Err(Cut));
            // Its reads and writes said `closed`: giving up is what it should do, and SDKs do so by a trap.
            let gave_up = matches!(fault, Fault::Misuse(Misuse::NoHead(_)) | Fault::Trap(_));
            let excused = request.client.has_left() && gave_up;
            Err(if excused { Fault::ClientLeft } else { fault })
        }
    }
}

/// One run of a program, from its environment to its exit code.
async fn run_program(
    exports: &Command,
    store: &mut Store<Guest>,
    (environment, exchange): (Vec<(String, String)>, Exchange),
    head: oneshot::Sender<Reply>,
) -> Result<Option<Answer>, Fault> {
    let Exchange { input, head_only, client } = exchange;
    let guest = store.data_mut();
    let program = Program::new(&guest.terms.limits, input, (&client, head_only), head);
    guest.run(&environment, &program);
    let returned = exports.wasi_cli_run().call_run(&mut *store).await;

    let guest = store.data_mut();
    guest.output.end();
    let out_of_memory = guest.limiter.take_refused();
    let run = match returned {
        Ok(Ok(())) => Ok(()),
        Ok(Err(())) => Err(Fault::Failed(1)),
        Err(error) => match Fault::from_call(&error, out_of_memory) {
            Fault::Exit(0) => Ok(()),
            Fault::Exit(code) => Err(Fault::Failed(code)),
            fault => Err(fault),
        },
    };
    Ok(match program.end(run)? {
        Ended::Bare(head) => Some(Answer::Reply(whole(*head, Content::Bytes(Bytes::new()), head_only))),
        Ended::Sent => None,
        Ended::Elsewhere(target) => Some(Answer::Elsewhere(target)),
    })
}

impl Instance {
    /// Puts it to rest if it may serve once more.
    fn rest(mut self, app: &App, place: &Place) {
        if self.wear.is_spent() {
            return;
        }
        let held = self.store.data_mut().held();
        match self.wear.rest_until(app.limits(), held, Instant::now()) {
            Ok(until) => place.give_back(self, until),
            Err(why) => {
                tracing::debug!(app = %app.name(), served = self.wear.served(), ?held, %why, "instance retired")
            }
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("wear", &self.wear).finish_non_exhaustive()
    }
}

/// Checks what the guest returned against its head.
async fn finish(request: &mut Request, body: Body, terms: &Terms) -> Result<(Finish, Content), Fault> {
    let content = match body {
        Body::Bytes(bytes) => {
            let size = bytes.len() as u64;
            if size > terms.limits.body_oneshot_max.bytes() {
                return Err(Misuse::OneshotTooLarge { size }.into());
            }
            Content::Bytes(bytes.into())
        }
        Body::File(range) => match terms.mounts.part(&range.path, range.offset, range.length).await {
            Ok(content) => content,
            Err(error @ FileRefused::Unreadable { .. }) => return Err(Fault::Bundle(error.to_string())),
            Err(refused) => return Err(Misuse::File(refused).into()),
        },
    };
    Ok((request.response.finish(content.length())?, content))
}

/// A reply that is complete when the guest returns.
pub(super) fn whole(mut head: crate::head::Head, content: Content, head_only: bool) -> Reply {
    let is_empty = content.length() == 0;
    // Told of what is not sent as it would be of GET's answer (rule 59); of bytes that are sent it is known anyhow.
    let is_untold = head_only || matches!(content, Content::File(_));
    if is_untold && head.content_length.is_none() && !is_empty && !head.forbids_body() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(content.length()));
    }
    let body = match content {
        _ if head_only || head.forbids_body() => ReplyBody::None,
        Content::Bytes(bytes) => ReplyBody::Whole(bytes),
        Content::File(part) => ReplyBody::File(part),
    };
    Reply { head, body }
}
