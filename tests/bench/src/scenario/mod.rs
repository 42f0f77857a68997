//! What can be measured, by name.

use crate::failure::Result;
use crate::lab::Lab;
use crate::report::Report;

mod density;
mod fairness;
mod hello;
mod in_process;
mod overload;
mod start;

/// One of `cargo xtask bench SCENARIO...`.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Lab) -> Result<Report>,
}

/// All, in the order of the results.
pub(crate) const SCENARIOS: [Scenario; 6] = [
    Scenario { name: "in-process", run: in_process::run },
    Scenario { name: "hello", run: hello::run },
    Scenario { name: "start", run: start::run },
    Scenario { name: "density", run: density::run },
    Scenario { name: "fairness", run: fairness::run },
    Scenario { name: "overload", run: overload::run },
];
