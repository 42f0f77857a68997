//! Web applications for wasgi, the WebAssembly Server Gateway Interface: `application(environ, start_response)`
//! of PEP 3333 (WSGI), compiled to one `.wasm` component.
//!
//! ```no_run
#![doc = include_str!("../../../examples/hello/src/lib.rs")]
//! ```
//!
//! - [`application`] exports the function that answers requests; [`initialize`] one that runs once, at
//!   deployment, and whose memory every request starts from.
//! - [`Environ`] is the request, [`Input`] its body, [`StartResponse`] sets the head, [`Writer`] sends parts of the body,
//!   and [`Body`] is the rest of it, returned.
//! - [`errors`] is the log. [`native`] turns header bytes into text.
//! - With the feature `http`, `http` answers with `http::Response`s from handlers and tower services.
//!
//! "Rule" with a number, here and there, is a rule of PEP 3333 as the conformance tests number them.

mod bindings;
mod body;
mod environ;
mod error;
mod errors;
#[cfg(feature = "http")]
pub mod http;
mod input;
pub mod native;
mod run;
mod snapshot;
mod start_response;
mod status;
mod url;

pub use wasgi_guest_macros::{application, initialize};

pub use crate::body::{Answer, Body};
pub use crate::environ::Environ;
pub use crate::error::{InputError, StartError, WriteError};
pub use crate::errors::{Errors, errors};
pub use crate::input::Input;
pub use crate::snapshot::Prepared;
pub use crate::start_response::{StartResponse, Writer};
pub use crate::status::Status;

/// For the attributes only: what the code that they add refers to.
#[doc(hidden)]
pub mod __internal {
    pub use crate::bindings::{app, initializer};
    pub use crate::run::application;
    pub use crate::snapshot::initialize;
}

/// For `#[application]` only.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_application {
    ($function:path) => {
        struct Exported;
        impl $crate::__internal::app::Guest for Exported {
            fn application(
                environ: $crate::__internal::app::Environ,
                start_response: $crate::__internal::app::StartResponse,
            ) -> $crate::__internal::app::Body {
                $crate::__internal::application(environ, start_response, $function)
            }
        }
        $crate::__internal::app::export_application_bindings!(Exported);
    };
}

/// For `#[initialize]` only.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_initialize {
    ($function:path) => {
        struct Exported;
        impl $crate::__internal::initializer::Guest for Exported {
            fn initialize() -> ::core::result::Result<(), ::std::string::String> {
                $crate::__internal::initialize($function)
            }
        }
        $crate::__internal::initializer::export_initialize_bindings!(Exported);
    };
}
